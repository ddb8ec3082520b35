// BMP as Pillow reads it: 1, 4, 8, 16, 24 and 32 bits a pixel, palettes, bit fields; rows from either end.

/// The header of a BMP file, and its pixels.
struct BMPFile {
  /// How a pixel's bits become colours.
  private enum Layout {
    case indexed(palette: [UInt8])
    /// Sixteen bits, five each, or six of green.
    case packed(greenBits: Int)
    /// Which byte of a pixel has which colour.
    case bytes(red: Int, green: Int, blue: Int, alpha: Int?)
  }

  let size: ImageSize
  private let file: LittleEndianBytes
  private let bits: Int
  private let isTopDown: Bool
  /// Where the pixels begin.
  private let start: Int
  private let layout: Layout

  /// Bytes of a row, a multiple of four.
  private var stride: Int { (size.width * bits + 31) / 32 * 4 }

  /// Reads the header and the palette.
  init(_ bytes: [UInt8]) throws(ImageFault) {
    file = LittleEndianBytes(bytes)
    let header = try file.number(14, 4)
    guard [12, 40, 52, 56, 64, 108, 124].contains(header) else {
      throw .notRead("a BMP with a header of \(header) bytes")
    }
    var compression = 0
    var colors = 0
    let isOld = header == 12
    if isOld {
      size = ImageSize(width: try file.number(18, 2), height: try file.number(20, 2))
      (bits, isTopDown) = (try file.number(24, 2), false)
    } else {
      // A negative height: rows from the top.
      let height = try file.number(22, 4)
      isTopDown = height >> 24 == 0xFF
      size = ImageSize(width: try file.number(18, 4), height: isTopDown ? 1 << 32 - height : height)
      bits = try file.number(28, 2)
      compression = try file.number(30, 4)
      colors = try file.number(46, 4)
    }
    guard [1, 4, 8, 16, 24, 32].contains(bits) else { throw .notRead("a BMP of \(bits) bits a pixel") }
    var next = 14 + header
    var masks: [Int]?
    switch compression {
    case 0: break
    case 1, 2: throw .notRead("a BMP with run-length compression")
    case 3:
      var found: [Int] = []
      for index in 0..<3 { found.append(try file.number(54 + 4 * index, 4)) }
      found.append(header >= 56 ? try file.number(66, 4) : 0)
      if header == 40 { next += 12 }
      masks = found
    default: throw .notRead("a BMP of compression \(compression)")
    }
    var start = try file.number(10, 4)
    if bits <= 8 {
      guard masks == nil else { throw .notRead("a BMP of bit fields and \(bits) bits a pixel") }
      let entry = isOld ? 3 : 4
      if colors == 0 { colors = 1 << bits }
      guard colors <= 1 << 16 else { throw .notRead("a BMP with a palette of \(colors) colours") }
      if start == 14 + header { start += entry * colors }
      // Black beyond its end.
      var palette = [UInt8](repeating: 0, count: 3 * 256)
      for index in 0..<min(colors, 256) {
        for color in 0..<3 { palette[3 * index + color] = UInt8(try file.byte(next + entry * index + 2 - color)) }
      }
      layout = .indexed(palette: palette)
      next += entry * colors
    } else {
      layout = try Self.layout(bits: bits, masks: masks)
    }
    self.start = start == 0 ? next : start
  }

  /// The layouts that Pillow knows.
  private static func layout(bits: Int, masks: [Int]?) throws(ImageFault) -> Layout {
    guard let masks else {
      return bits == 16 ? .packed(greenBits: 5) : .bytes(red: 2, green: 1, blue: 0, alpha: nil)
    }
    switch (bits, masks[0], masks[1], masks[2]) {
    case (16, 0xF800, 0x7E0, 0x1F): return .packed(greenBits: 6)
    case (16, 0x7C00, 0x3E0, 0x1F): return .packed(greenBits: 5)
    case (24, 0xFF0000, 0xFF00, 0xFF): return .bytes(red: 2, green: 1, blue: 0, alpha: nil)
    default: break
    }
    guard bits == 32 else { throw .notRead("a BMP of unusual bit fields") }
    switch (masks[0], masks[1], masks[2], masks[3]) {
    case (0xFF_0000, 0xFF00, 0xFF, 0): return .bytes(red: 2, green: 1, blue: 0, alpha: nil)
    case (0xFF00_0000, 0xFF_0000, 0xFF00, 0): return .bytes(red: 3, green: 2, blue: 1, alpha: nil)
    case (0xFF00_0000, 0xFF00, 0xFF, 0): return .bytes(red: 3, green: 1, blue: 0, alpha: nil)
    case (0xFF00_0000, 0xFF_0000, 0xFF00, 0xFF): return .bytes(red: 3, green: 2, blue: 1, alpha: 0)
    case (0xFF, 0xFF00, 0xFF_0000, 0xFF00_0000): return .bytes(red: 0, green: 1, blue: 2, alpha: 3)
    case (0xFF_0000, 0xFF00, 0xFF, 0xFF00_0000), (0, 0, 0, 0): return .bytes(red: 2, green: 1, blue: 0, alpha: 3)
    case (0xFF00_0000, 0xFF00, 0xFF, 0xFF_0000): return .bytes(red: 3, green: 1, blue: 0, alpha: 2)
    default: throw .notRead("a BMP of unusual bit fields")
    }
  }

  /// The pixels; `white` lays transparent ones on white. The size must have been found small enough.
  func pixels(white: Bool) throws(ImageFault) -> DecodedPixels {
    let rowBytes = (size.width * bits + 7) / 8
    guard start <= file.bytes.count, stride * (size.height - 1) + rowBytes <= file.bytes.count - start else {
      throw .damaged("the file ends early")
    }
    let isWhole = stride * size.height <= file.bytes.count - start
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * size.width * size.height)
    for y in 0..<size.height {
      let row = start + stride * (isTopDown ? y : size.height - 1 - y)
      switch layout {
      case .indexed(let palette): appendIndexed(row, palette, to: &pixels)
      case .packed(let greenBits): appendPacked(row, greenBits, to: &pixels)
      case .bytes(let red, let green, let blue, let alpha):
        for place in Swift.stride(from: row, to: row + rowBytes, by: bits / 8) {
          let opacity = white ? alpha.map { file.bytes[place + $0] } ?? 255 : 255
          for color in [red, green, blue] { pixels.append(onWhite(file.bytes[place + color], alpha: opacity)) }
        }
      }
    }
    return DecodedPixels(pixels: pixels, damage: isWhole ? nil : "the last row lacks its padding")
  }

  private func appendIndexed(_ row: Int, _ palette: [UInt8], to pixels: inout [UInt8]) {
    let mask = 1 << bits - 1
    for x in 0..<size.width {
      let bit = x * bits
      let index = Int(file.bytes[row + bit / 8]) >> (8 - bits - bit % 8) & mask
      pixels.append(contentsOf: palette[3 * index..<3 * index + 3])
    }
  }

  private func appendPacked(_ row: Int, _ greenBits: Int, to pixels: inout [UInt8]) {
    let most = 1 << greenBits - 1
    for x in 0..<size.width {
      let value = Int(file.bytes[row + 2 * x]) | Int(file.bytes[row + 2 * x + 1]) << 8
      pixels.append(UInt8((value >> (5 + greenBits) & 31) * 255 / 31))
      pixels.append(UInt8((value >> 5 & most) * 255 / most))
      pixels.append(UInt8((value & 31) * 255 / 31))
    }
  }
}
