// Images written as PNG through libpng's simplified interface.
import CPNG
import Foundation

/// libpng's error message.
package struct PNGError: Error, Equatable, CustomStringConvertible {
  package let description: String
}

extension RGBImage {
  /// The bytes of a PNG file.
  /// - Throws: `PNGError`.
  package func png() throws(PNGError) -> Data {
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    (image.width, image.height) = (png_uint_32(width), png_uint_32(height))
    image.format = png_uint_32(PNG_FORMAT_RGB)
    defer { png_image_free(&image) }
    // More than any compression of these bytes takes: zlib's bound, a filter byte a row, the chunks.
    var count = pixels.count + pixels.count / 256 + height + (1 << 16)
    var bytes = [UInt8](repeating: 0, count: count)
    guard png_image_write_to_memory(&image, &bytes, &count, 0, pixels, 0, nil) != 0 else {
      let words = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      throw PNGError(description: "libpng: \(words)")
    }
    return Data(bytes.prefix(count))
  }
}
