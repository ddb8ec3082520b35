// A picture as a page carries it: decoded as the model's is, small enough, written anew as PNG.
import Datasets
import Foundation
import Preprocessing

/// A PNG of a row's picture, and the size of the original.
///
/// The file itself is not copied: what a browser shows must be what the model saw, without a JPEG's orientation, and
/// nothing else of the file (places, names, broken parts) goes into the page.
struct EmbeddedImage {
  let original: ImageSize
  let base64: String
  /// Longer sides are shrunk to it.
  static let longestSide = 800

  /// - Throws: `PreprocessingError` for a picture that cannot be decoded.
  init(_ source: ImageSource) throws {
    let image = try ImageDecoder.load(source)
    original = image.size
    let scale = min(1, Double(Self.longestSide) / Double(max(image.width, image.height)))
    func side(_ length: Int) -> Int { max(1, Int((Double(length) * scale).rounded())) }
    let small = scale < 1 ? image.resized(to: ImageSize(width: side(image.width), height: side(image.height))) : image
    base64 = try small.png().base64EncodedString()
  }
}
