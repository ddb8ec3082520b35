// Image files, or bytes in memory, into RGB as Pillow and transformers read them.
import Datasets
import Files

/// Decodes images.
package enum ImageDecoder {
  /// Pillow's `Image.MAX_IMAGE_PIXELS`: more is refused before memory is taken for it.
  package static let maximumPixels = 89_478_485
  /// Enough for the header of nearly every file.
  private static let headerBytes = 64 << 10

  /// Decodes a whole file's bytes; `name` is for messages.
  ///
  /// Throws `PreprocessingError`: another format, a damaged or cut file, or more than `maximumPixels` pixels.
  package static func decode(
    _ bytes: [UInt8], name: String, reading: ImageReading = ImageReading(), maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> RGBImage {
    let format = try ImageFormat(of: bytes, image: name)
    let size = try checked(format.size(of: bytes, image: name), name, maximumPixels)
    let decoded = try format.pixels(of: bytes, size: size, transparency: reading.transparency, image: name)
    if let damage = decoded.damage, reading.damaged == .refuse { throw .damaged(image: name, damage: damage) }
    let image = RGBImage(width: size.width, height: size.height, pixels: decoded.pixels, damage: decoded.damage)
    guard reading.exifOrientation == .apply || format.isAlwaysUpright else { return image }
    return image.turned(Orientation(of: bytes, format: format))
  }

  /// Reads and decodes an image; throws `PreprocessingError`.
  package static func load(
    _ source: ImageSource, reading: ImageReading = ImageReading(), maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> RGBImage {
    try decode(bytes(of: source), name: source.name, reading: reading, maximumPixels: maximumPixels)
  }

  /// A whole image as it is stored; throws `PreprocessingError.unreadable`.
  package static func bytes(of source: ImageSource) throws(PreprocessingError) -> [UInt8] {
    switch source.address {
    case .file(let path):
      let file = try ImageFile(path.text)
      return try file.read(first: file.count)
    case .inline(let bytes):
      return bytes
    case .packed(let image):
      do throws(FileError) { return try image.bytes() } catch { throw .pack(description: error.description) }
    }
  }

  /// The size of an image as it is decoded, read without its pixels; throws `PreprocessingError`.
  package static func size(
    of source: ImageSource, reading: ImageReading = ImageReading(), maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> ImageSize {
    let (size, orientation) = try header(
      of: source, findsOrientation: reading.exifOrientation == .apply, maximumPixels: maximumPixels)
    return size.turned(orientation)
  }

  /// The size of an image as it is stored and, if asked for, its EXIF orientation; throws `PreprocessingError`.
  static func header(
    of source: ImageSource, findsOrientation: Bool, maximumPixels: Int = maximumPixels
  ) throws(PreprocessingError) -> (size: ImageSize, orientation: Orientation) {
    switch source.address {
    case .file(let path):
      let file = try ImageFile(path.text)
      return try header(
        source.name, count: file.count, findsOrientation, maximumPixels,
        read: { (limit) throws(PreprocessingError) in try file.read(first: limit) })
    case .packed(let image):
      return try header(
        source.name, count: image.count, findsOrientation, maximumPixels,
        read: { (limit) throws(PreprocessingError) in
          do throws(FileError) { return try image.bytes(first: limit) } catch {
            throw .pack(description: error.description)
          }
        })
    case .inline(let bytes):
      return try header(of: bytes, source.name, findsOrientation, maximumPixels)
    }
  }

  /// From the first bytes where they are enough, otherwise from all.
  private static func header(
    _ name: String, count: Int, _ findsOrientation: Bool, _ limit: Int,
    read: (Int) throws(PreprocessingError) -> [UInt8]
  ) throws(PreprocessingError) -> (size: ImageSize, orientation: Orientation) {
    let head = try read(headerBytes)
    do {
      // A TIFF's directory may lie anywhere, and PNG and WebP may state their orientation after their pixels.
      let format = try ImageFormat(of: head, image: name)
      let needsAll = format == .tiff || findsOrientation && (format == .png || format == .webp)
      return try header(of: needsAll && count > head.count ? read(count) : head, name, findsOrientation, limit)
    } catch .undecodable where count > head.count {
      // Profiles and thumbnails can push the frame header far back.
      return try header(of: read(count), name, findsOrientation, limit)
    }
  }

  private static func header(
    of bytes: [UInt8], _ name: String, _ findsOrientation: Bool, _ limit: Int
  ) throws(PreprocessingError) -> (size: ImageSize, orientation: Orientation) {
    let format = try ImageFormat(of: bytes, image: name)
    let size = try checked(format.size(of: bytes, image: name), name, limit)
    if format.isAlwaysUpright { return (size.turned(Orientation(of: bytes, format: format)), .upright) }
    return (size, findsOrientation ? Orientation(of: bytes, format: format) : .upright)
  }

  private static func checked(
    _ size: ImageSize, _ name: String, _ limit: Int
  ) throws(PreprocessingError) -> ImageSize {
    let (area, overflows) = size.width.multipliedReportingOverflow(by: size.height)
    guard size.width > 0, size.height > 0, !overflows, area <= limit else {
      throw .tooManyPixels(image: name, width: size.width, height: size.height, limit: limit)
    }
    return size
  }
}

extension ImageSource {
  /// The image's name in messages.
  package var name: String {
    switch address {
    case .file(let path): path.text
    case .inline(let bytes): "data: URL of \(bytes.count) bytes"
    case .packed(let image): "\(image.name) of \(image.file)"
    }
  }
}
