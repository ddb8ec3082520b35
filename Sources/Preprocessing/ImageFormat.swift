// Which kind of file some bytes are, by their first bytes and never by a name's extension.
import CImages
import Files

/// A file format that the decoder reads.
enum ImageFormat: String {
  case png = "PNG"
  case jpeg = "JPEG"
  case webp = "WebP"
  case gif = "GIF"
  case bmp = "BMP"
  case tiff = "TIFF"

  private static let signatures: [(offset: Int, bytes: [UInt8], format: Result)] = [
    (0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], .known(.png)),
    (0, [0xff, 0xd8, 0xff], .known(.jpeg)),
    (0, Array("GIF87a".utf8), .known(.gif)),
    (0, Array("GIF89a".utf8), .known(.gif)),
    (8, Array("WEBP".utf8), .known(.webp)),
    (0, Array("BM".utf8), .known(.bmp)),
    (0, [0x49, 0x49, 0x2a, 0x00], .known(.tiff)),
    (0, [0x4d, 0x4d, 0x00, 0x2a], .known(.tiff)),
    (0, [0x49, 0x49, 0x2b, 0x00], .other("BigTIFF")),
    (0, [0x4d, 0x4d, 0x00, 0x2b], .other("BigTIFF")),
    (4, Array("ftypavi".utf8), .other("AVIF")),
    (4, Array("ftyphei".utf8), .other("HEIC")),
    (4, Array("ftyphev".utf8), .other("HEIC")),
    (4, Array("ftypmif1".utf8), .other("HEIF")),
    (4, Array("ftypmsf1".utf8), .other("HEIF")),
    (0, [0xff, 0x0a], .other("JPEG XL")),
    (4, Array("JXL ".utf8), .other("JPEG XL")),
    (4, Array("jP  ".utf8), .other("JPEG 2000")),
    (0, [0xff, 0x4f, 0xff, 0x51], .other("JPEG 2000")),
    (0, Array("%PDF".utf8), .other("PDF")),
    (0, Array("<svg".utf8), .other("SVG")),
    (0, GitLFSPointer.start, .other("a Git LFS pointer, not the image (git lfs pull)")),
  ]

  /// What the first bytes identify.
  private enum Result {
    case known(ImageFormat)
    case other(String)
  }

  /// The format of a file's first bytes; throws `PreprocessingError.unsupportedFormat` with the name of what it is.
  init(of bytes: [UInt8], image: String) throws(PreprocessingError) {
    let match = Self.signatures.first { signature in bytes.dropFirst(signature.offset).starts(with: signature.bytes) }
    switch match?.format {
    case .known(let format): self = format
    case .other(let name): throw .unsupportedFormat(image: image, format: name)
    case nil:
      throw .unsupportedFormat(image: image, format: bytes.isEmpty ? "an empty file" : "of an unknown format")
    }
  }

  /// The size in the header.
  func size(of bytes: [UInt8], image: String) throws(PreprocessingError) -> ImageSize {
    do throws(ImageFault) {
      switch self {
      case .png: return try Self.size(bytes, cimages_png_size)
      case .jpeg: return try Self.size(bytes, cimages_jpeg_size)
      case .webp: return try Self.size(bytes, cimages_webp_size)
      case .tiff: return try Self.size(bytes, cimages_tiff_size)
      case .gif: return try GIFFile(bytes).size
      case .bmp: return try BMPFile(bytes).size
      }
    } catch {
      throw failure(image, error)
    }
  }

  /// The pixels of a file whose header gave `size`, `[height, width, 3]`, and what is wrong with the file if they are
  /// all there nevertheless.
  func pixels(
    of bytes: [UInt8], size: ImageSize, transparency: ImageReading.Transparency, image: String
  ) throws(PreprocessingError) -> (pixels: [UInt8], damage: String?) {
    let white = transparency == .white
    do throws(ImageFault) {
      let decoded =
        switch self {
        case .png: try Self.pixels(bytes, size, white, cimages_png_decode)
        case .jpeg: try Self.pixels(bytes, size, white, cimages_jpeg_decode)
        case .webp: try Self.pixels(bytes, size, white, cimages_webp_decode)
        case .tiff: try Self.pixels(bytes, size, white, cimages_tiff_decode)
        case .gif: try GIFFile(bytes).pixels(white: white)
        case .bmp: try BMPFile(bytes).pixels(white: white)
        }
      return (decoded.pixels, decoded.damage.map { "\(rawValue): \($0)" })
    } catch {
      throw failure(image, error)
    }
  }

  private static func size(
    _ bytes: [UInt8],
    _ read: (
      UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UInt32>?,
      UnsafeMutablePointer<CChar>?
    ) -> CInt
  ) throws(ImageFault) -> ImageSize {
    var (width, height): (UInt32, UInt32) = (0, 0)
    var message = [CChar](repeating: 0, count: Int(CIMAGES_MESSAGE_SIZE))
    _ = try checked(read(bytes, bytes.count, &width, &height, &message), message)
    return ImageSize(width: Int(width), height: Int(height))
  }

  private static func pixels(
    _ bytes: [UInt8], _ size: ImageSize, _ white: Bool,
    _ decode: (
      UnsafePointer<UInt8>?, Int, UInt32, UInt32, CInt, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<CChar>?
    ) -> CInt
  ) throws(ImageFault) -> DecodedPixels {
    var message = [CChar](repeating: 0, count: Int(CIMAGES_MESSAGE_SIZE))
    var status: CInt = 0
    let count = 3 * size.width * size.height
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      status = decode(
        bytes, bytes.count, UInt32(size.width), UInt32(size.height), white ? 1 : 0, buffer.baseAddress, &message)
      initialized = status >= 0 ? count : 0
    }
    return DecodedPixels(pixels: pixels, damage: try checked(status, message))
  }

  /// The damage of a file that has all its pixels, nil for a sound one.
  private static func checked(_ status: CInt, _ message: [CChar]) throws(ImageFault) -> String? {
    let words = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    switch Int(status) {
    case CIMAGES_READ: return nil
    case CIMAGES_DAMAGED: return words
    case CIMAGES_NOT_READ: throw .notRead(words)
    default: throw .damaged(words)
    }
  }

  private func failure(_ image: String, _ fault: ImageFault) -> PreprocessingError {
    switch fault {
    case .damaged(let reason): .undecodable(image: image, format: rawValue, reason: reason)
    case .notRead(let kind): .unsupportedFormat(image: image, format: kind)
    }
  }
}
