// How a family of models writes places in a picture.
import HuggingFace

/// The numbers that name a place in a text.
public enum Coordinates: Sendable, Equatable {
  /// Pixels of the picture that the model sees (Qwen2.5-VL).
  case resizedPixels
  /// Thousandths of the picture's width and height (Qwen3-VL).
  case thousandths

  /// The frame whose resized side is what places are written in.
  func frame(_ frame: ImageFrame) -> ImageFrame {
    switch self {
    case .resizedPixels: frame
    case .thousandths: ImageFrame(original: frame.original, resized: ImageSize(width: 1000, height: 1000))
    }
  }
}

extension ModelConfiguration.Family {
  /// As the released models of the family write places.
  public var coordinates: Coordinates { self == .qwen2_5_vl ? .resizedPixels : .thousandths }
}
