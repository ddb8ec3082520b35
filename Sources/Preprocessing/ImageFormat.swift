// Which kind of file some bytes are, by their first bytes and never by a name's extension.
import CImages

/// A file format that the decoder reads.
enum ImageFormat: String {
  case png = "PNG"
  case jpeg = "JPEG"

  private static let signatures: [(offset: Int, bytes: [UInt8], format: Result)] = [
    (0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], .known(.png)),
    (0, [0xff, 0xd8, 0xff], .known(.jpeg)),
    (0, Array("GIF8".utf8), .other("GIF")),
    (8, Array("WEBP".utf8), .other("WebP")),
    (0, Array("BM".utf8), .other("BMP")),
    (0, [0x49, 0x49, 0x2a, 0x00], .other("TIFF")),
    (0, [0x4d, 0x4d, 0x00, 0x2a], .other("TIFF")),
    (4, Array("ftypavif".utf8), .other("AVIF")),
    (4, Array("ftyphei".utf8), .other("HEIC")),
    (4, Array("ftyphev".utf8), .other("HEIC")),
    (4, Array("ftypmif1".utf8), .other("HEIF")),
    (0, Array("%PDF".utf8), .other("PDF")),
    (0, Array("<svg".utf8), .other("SVG")),
    (0, Array("version https://git-lfs".utf8), .other("a Git LFS pointer, not the image (git lfs pull)")),
  ]

  /// What the first bytes identify.
  private enum Result {
    case known(ImageFormat)
    case other(String)
  }

  /// The format of a file's first bytes; throws `PreprocessingError.unsupportedFormat` with the name of what it is.
  init(of bytes: UnsafeRawBufferPointer, image: String) throws(PreprocessingError) {
    let match = Self.signatures.first { signature in
      bytes.count >= signature.offset + signature.bytes.count
        && bytes.dropFirst(signature.offset).starts(with: signature.bytes)
    }
    switch match?.format {
    case .known(let format): self = format
    case .other(let name): throw .unsupportedFormat(image: image, format: name)
    case nil:
      throw .unsupportedFormat(image: image, format: bytes.isEmpty ? "an empty file" : "of an unknown format")
    }
  }

  /// The size in the header.
  func size(of bytes: UnsafeRawBufferPointer, image: String) throws(PreprocessingError) -> ImageSize {
    let header = self == .png ? cimages_png_size : cimages_jpeg_size
    var (width, height): (UInt32, UInt32) = (0, 0)
    var message = [CChar](repeating: 0, count: Int(CIMAGES_MESSAGE_SIZE))
    guard header(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &width, &height, &message) == 0 else {
      throw failure(image, message)
    }
    return ImageSize(width: Int(width), height: Int(height))
  }

  /// The pixels of a file whose header gave `size`, `[height, width, 3]`, and what is wrong with the file if they are
  /// all there nevertheless.
  func pixels(
    of bytes: UnsafeRawBufferPointer, size: ImageSize, transparency: ImageReading.Transparency, image: String
  ) throws(PreprocessingError) -> (pixels: [UInt8], damage: String?) {
    let decode = self == .png ? cimages_png_decode : cimages_jpeg_decode
    var message = [CChar](repeating: 0, count: Int(CIMAGES_MESSAGE_SIZE))
    var status: CInt = 0
    let count = 3 * size.width * size.height
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      status = decode(
        bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, UInt32(size.width), UInt32(size.height),
        transparency == .white ? 1 : 0, buffer.baseAddress, &message)
      initialized = status >= 0 ? count : 0
    }
    guard status >= 0 else { throw failure(image, message) }
    return (pixels, status == 0 ? nil : "\(rawValue): \(Self.words(message))")
  }

  private static func words(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func failure(_ image: String, _ message: [CChar]) -> PreprocessingError {
    .undecodable(image: image, format: rawValue, reason: Self.words(message))
  }
}
