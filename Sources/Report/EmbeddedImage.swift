// An image as a page embeds it: decoded like the model's input, shrunk if large, encoded again as PNG.
import Datasets
import Foundation
import Preprocessing

/// A PNG of an example's image, and the size of the original.
///
/// The file itself is not copied. A browser must show what the model saw, without a JPEG's orientation, and no metadata
/// of the file (places, names, damaged parts) may get into the page.
struct EmbeddedImage {
  let original: ImageSize
  let base64: String
  /// Larger images are shrunk to this length of their longer side, in pixels.
  static let longestSide = 800

  /// - Throws: `PreprocessingError` for an image that cannot be decoded.
  init(_ source: ImageSource, reading: ImageReading = ImageReading()) throws {
    let image = try ImageDecoder.load(source, reading: reading)
    original = image.size
    let scale = min(1, Double(Self.longestSide) / Double(max(image.width, image.height)))
    func side(_ length: Int) -> Int { max(1, Int((Double(length) * scale).rounded())) }
    let small = scale < 1 ? image.resized(to: ImageSize(width: side(image.width), height: side(image.height))) : image
    base64 = try small.png().base64EncodedString()
  }
}
