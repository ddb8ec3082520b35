// The EXIF orientation of a file: found where Pillow finds it, and images turned upright by it.

/// How a stored image must be turned to be upright: EXIF's tag 0x0112.
package enum Orientation: Int, Sendable, Hashable {
  case upright = 1
  case mirrored, rotated180, flipped, transposed, rotated270, transversed, rotated90

  /// Whether width and height are exchanged.
  var exchangesSides: Bool { rawValue >= 5 }

  /// The orientation that a file states; upright where it states none, or no such one. GIF and BMP have no place for
  /// it.
  init(of bytes: [UInt8], format: ImageFormat) {
    let metadata: Metadata =
      switch format {
      case .jpeg: Self.jpegMetadata(bytes)
      case .png: Self.pngMetadata(bytes)
      case .webp: Self.webpMetadata(bytes)
      case .tiff: (bytes, nil)
      case .gif, .bmp: (nil, nil)
      }
    let value = metadata.exif.flatMap(Self.tiffOrientation) ?? metadata.xmp.flatMap(Self.xmpOrientation)
    self = value.flatMap(Orientation.init(rawValue:)) ?? .upright
  }

  private typealias Metadata = (exif: [UInt8]?, xmp: [UInt8]?)

  /// Segments APP1 up to the first scan. An EXIF block that is cut into several segments is joined.
  private static func jpegMetadata(_ bytes: [UInt8]) -> Metadata {
    let (exifName, xmpName) = (Array("Exif\0\0".utf8), Array("http://ns.adobe.com/xap/1.0/\0".utf8))
    var found: Metadata = (nil, nil)
    var place = 2
    while place + 4 <= bytes.count, bytes[place] == 0xFF {
      let marker = bytes[place + 1]
      if marker == 0xFF {
        place += 1
        continue
      }
      if marker == 0xDA || marker == 0xD9 { break }
      if marker == 0x01 || (0xD0...0xD8).contains(marker) {
        place += 2
        continue
      }
      let length = Int(bytes[place + 2]) << 8 | Int(bytes[place + 3])
      let end = place + 2 + length
      guard length >= 2, end <= bytes.count else { break }
      let segment = bytes[place + 4..<end]
      if marker == 0xE1, segment.starts(with: exifName) {
        found.exif = (found.exif ?? []) + segment.dropFirst(exifName.count)
      } else if marker == 0xE1, found.xmp == nil, segment.starts(with: xmpName) {
        found.xmp = Array(segment.dropFirst(xmpName.count))
      }
      place = end
    }
    return found
  }

  /// The chunks eXIf and, as a text that is not compressed, XMP.
  private static func pngMetadata(_ bytes: [UInt8]) -> Metadata {
    let xmpName = Array("XML:com.adobe.xmp\0\0\0".utf8)
    var found: Metadata = (nil, nil)
    var place = 8
    while place + 12 <= bytes.count {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      let end = place + 8 + length
      guard end <= bytes.count else { break }
      let type = bytes[place + 4..<place + 8]
      if type.elementsEqual("eXIf".utf8) { found.exif = Array(bytes[place + 8..<end]) }
      if type.elementsEqual("iTXt".utf8), bytes[place + 8..<end].starts(with: xmpName) {
        found.xmp = Array(bytes[place + 8 + xmpName.count..<end])
      }
      place = end + 4
    }
    return found
  }

  /// The chunks EXIF and XMP.
  private static func webpMetadata(_ bytes: [UInt8]) -> Metadata {
    var found: Metadata = (nil, nil)
    var place = 12
    while place + 8 <= bytes.count {
      let length = bytes[place + 4..<place + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
      let data = place + 8
      guard length <= bytes.count - data else { break }
      if bytes[place..<place + 4].elementsEqual("EXIF".utf8), found.exif == nil {
        var exif = bytes[data..<data + length]
        let name = Array("Exif\0\0".utf8)
        while exif.starts(with: name) { exif = exif.dropFirst(name.count) }
        found.exif = Array(exif)
      }
      if bytes[place..<place + 4].elementsEqual("XMP ".utf8), found.xmp == nil {
        found.xmp = Array(bytes[data..<data + length])
      }
      place = data + length + length % 2
    }
    return found
  }

  /// Tag 0x0112 of the first directory of a TIFF block; nil where it has none or is broken.
  private static func tiffOrientation(_ tiff: [UInt8]) -> Int? {
    let isLittle = tiff.starts(with: [0x49, 0x49])
    guard isLittle || tiff.starts(with: [0x4D, 0x4D]) else { return nil }
    func number(_ place: Int, _ count: Int) -> Int? {
      guard place >= 0, place + count <= tiff.count else { return nil }
      let bytes = tiff[place..<place + count]
      return isLittle ? bytes.reversed().reduce(0) { $0 << 8 | Int($1) } : bytes.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
    for entry in 0..<count {
      let place = directory + 2 + 12 * entry
      guard let tag = number(place, 2), let type = number(place + 2, 2) else { return nil }
      guard tag == 0x0112 else { continue }
      return switch type {
      case 1: number(place + 8, 1)
      case 3: number(place + 8, 2)
      case 4: number(place + 8, 4)
      default: nil
      }
    }
    return nil
  }

  /// The digit after `tiff:Orientation="` or `tiff:Orientation>`.
  private static func xmpOrientation(_ xmp: [UInt8]) -> Int? {
    let name = Array("tiff:Orientation".utf8)
    var rest = xmp[...]
    while let start = rest.firstIndex(of: name[0]) {
      rest = rest[start...]
      if rest.starts(with: name) {
        let after = rest.dropFirst(name.count)
        let digit =
          after.starts(with: "=\"".utf8)
          ? after.dropFirst(2).first : after.first == 0x3E ? after.dropFirst().first : nil
        if let digit, (0x30...0x39).contains(digit) { return Int(digit) - 0x30 }
      }
      rest = rest.dropFirst()
    }
    return nil
  }
}

extension ImageFormat {
  /// Whether the stated orientation is always applied, as Pillow's `Image.open` does it of TIFF alone.
  var isAlwaysUpright: Bool { self == .tiff }
}

extension ImageSize {
  /// The size after turning.
  func turned(_ orientation: Orientation) -> ImageSize {
    orientation.exchangesSides ? ImageSize(width: height, height: width) : self
  }
}

extension RGBImage {
  /// The image upright, of a stored one with this orientation (Pillow's `ImageOps.exif_transpose`).
  func turned(_ orientation: Orientation) -> RGBImage {
    guard orientation != .upright else { return self }
    let size = size.turned(orientation)
    var turned: [UInt8] = []
    turned.reserveCapacity(pixels.count)
    for y in 0..<size.height {
      for x in 0..<size.width {
        let (column, row) =
          switch orientation {
          case .upright: (x, y)
          case .mirrored: (width - 1 - x, y)
          case .rotated180: (width - 1 - x, height - 1 - y)
          case .flipped: (x, height - 1 - y)
          case .transposed: (y, x)
          case .rotated270: (y, height - 1 - x)
          case .transversed: (width - 1 - y, height - 1 - x)
          case .rotated90: (width - 1 - y, x)
          }
        let start = 3 * (row * width + column)
        turned.append(contentsOf: pixels[start..<start + 3])
      }
    }
    return RGBImage(width: size.width, height: size.height, pixels: turned, damage: damage)
  }
}
