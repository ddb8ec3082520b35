// PNG and JPEG files, or bytes in memory, into the RGB that Pillow's `Image.open(f).convert("RGB")` gives.
import Datasets

/// Decodes images; alpha is dropped and not composited, and a JPEG's EXIF orientation is not applied, as in Pillow.
package enum ImageDecoder {
  /// Pillow's `Image.MAX_IMAGE_PIXELS`: more is refused before memory is taken for it.
  package static let maximumPixels = 89_478_485
  /// Enough for the header of nearly every file.
  private static let headerBytes = 64 << 10

  /// Decodes a whole file's bytes; `name` is for messages.
  ///
  /// Throws `PreprocessingError`: another format, a damaged or cut file, or more than `maximumPixels` pixels.
  package static func decode(
    _ bytes: UnsafeRawBufferPointer, name: String, maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> RGBImage {
    let format = try ImageFormat(of: bytes, image: name)
    let size = try checked(format.size(of: bytes, image: name), name, maximumPixels)
    let pixels = try format.pixels(of: bytes, size: size, image: name)
    return RGBImage(width: size.width, height: size.height, pixels: pixels)
  }

  /// Decodes a whole file's bytes; throws as the form for buffers does.
  package static func decode(
    _ bytes: [UInt8], name: String, maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> RGBImage {
    try withBytes(bytes) { (buffer) throws(PreprocessingError) in
      try decode(buffer, name: name, maximumPixels: maximumPixels)
    }
  }

  /// Reads and decodes an image; throws `PreprocessingError`.
  package static func load(
    _ source: ImageSource, maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> RGBImage {
    try decode(bytes(of: source), name: source.name, maximumPixels: maximumPixels)
  }

  /// A whole image as it is stored; throws `PreprocessingError.unreadable`.
  package static func bytes(of source: ImageSource) throws(PreprocessingError) -> [UInt8] {
    switch source {
    case .file(let path):
      let file = try ImageFile(path)
      return try file.read(first: file.count)
    case .inline(let bytes):
      return bytes
    }
  }

  /// The size in an image's header, read without its pixels; throws `PreprocessingError`.
  package static func size(
    of source: ImageSource, maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> ImageSize {
    switch source {
    case .file(let path):
      let file = try ImageFile(path)
      let head = try file.read(first: headerBytes)
      do {
        return try size(of: head, name: path, maximumPixels: maximumPixels)
      } catch .undecodable where file.count > head.count {
        // Profiles and thumbnails can push the frame header far back.
        return try size(of: file.read(first: file.count), name: path, maximumPixels: maximumPixels)
      }
    case .inline(let bytes):
      return try size(of: bytes, name: source.name, maximumPixels: maximumPixels)
    }
  }

  private static func size(
    of bytes: [UInt8], name: String, maximumPixels: Int
  ) throws(PreprocessingError) -> ImageSize {
    try withBytes(bytes) { (buffer) throws(PreprocessingError) in
      try checked(ImageFormat(of: buffer, image: name).size(of: buffer, image: name), name, maximumPixels)
    }
  }

  private static func checked(
    _ size: ImageSize, _ name: String, _ limit: Int
  ) throws(PreprocessingError) -> ImageSize {
    // Both sides come from 32 bits, so the product fits.
    guard size.width > 0, size.height > 0, size.width * size.height <= limit else {
      throw .tooManyPixels(image: name, width: size.width, height: size.height, limit: limit)
    }
    return size
  }

  /// `withUnsafeBytes` that keeps the error's type.
  private static func withBytes<T>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(PreprocessingError) -> T
  ) throws(PreprocessingError) -> T {
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(PreprocessingError) in try body(buffer) }
    }
    return try result.get()
  }
}

extension ImageSource {
  /// The image's name in messages.
  package var name: String {
    switch self {
    case .file(let path): path
    case .inline(let bytes): "data: URL of \(bytes.count) bytes"
    }
  }
}
