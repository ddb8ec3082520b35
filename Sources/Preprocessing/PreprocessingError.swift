// Everything that can be wrong with an image, its settings or its positions in a sequence.
import Files

/// What was wrong with an image, the processor's settings or a sequence's images, and how to fix it.
package enum PreprocessingError: Error, Equatable, CustomStringConvertible {
  /// The file could not be read; the reason is the operating system's message.
  case unreadable(image: String, reason: String)
  /// An image of a pack; the pack's error, in one line.
  case pack(description: String)
  /// No format, or no kind of one, that is read.
  case unsupportedFormat(image: String, format: String)
  /// The reason is the library's message.
  case undecodable(image: String, format: String, reason: String)
  /// All pixels are there, but the file is not as it should be.
  case damaged(image: String, damage: String)
  case tooManyPixels(image: String, width: Int, height: Int, limit: Int)
  /// One side is more than 200 times the other.
  case aspectRatio(image: String, width: Int, height: Int)
  /// The settings ask for an image without pixels or of more than can be held.
  case noSuchSize(image: String, width: Int, height: Int)
  /// A value of the image processor's settings.
  case setting(key: String, value: String, expected: String)
  /// The tokenizer lacks a token without which images have no place.
  case missingToken(String)
  /// The runs of image tokens and the images' grids do not fit each other.
  case imageTokens(reason: String)
  /// The image is no longer the one whose size gave the example's tokens.
  case changed(image: String, expected: String, found: String)

  package var description: String { oneLine(words) }

  private var words: String {
    switch self {
    case .unreadable(let image, let reason):
      "image \(image): \(reason); check the path and image_root"
    case .pack(let description): description
    case .unsupportedFormat(let image, let format):
      "image \(image): is \(format), which is not read; convert it to PNG or JPEG"
    case .undecodable(let image, let format, let reason):
      "image \(image): damaged \(format): \(reason); replace the file"
    case .damaged(let image, let damage):
      "image \(image): damaged \(damage); replace the file, or set data.damaged_images: warn, since its pixels are whole"
    case .tooManyPixels(let image, let width, let height, let limit):
      "image \(image): \(width) x \(height) is more than the limit of \(limit) pixels; make it smaller"
    case .aspectRatio(let image, let width, let height):
      "image \(image): \(width) x \(height), one side is more than 200 times the other; crop it"
    case .noSuchSize(let image, let width, let height):
      "image \(image): would be resized to \(width) x \(height); check min_pixels and max_pixels"
    case .setting(let key, let value, let expected):
      "image processor: \(key) is \(value), expected \(expected); fix preprocessor_config.json or the run file"
    case .missingToken(let token):
      "tokenizer: has no \(token); use the tokenizer of a Qwen-VL model"
    case .imageTokens(let reason):
      "image tokens: \(reason); each image needs one run of its own"
    case .changed(let image, let expected, let found):
      "image \(image): changed while in use, was \(expected), is now \(found); start again"
    }
  }
}
