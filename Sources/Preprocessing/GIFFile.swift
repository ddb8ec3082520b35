// GIF as Pillow reads it: the first image of a file, on its screen.

/// The blocks of a GIF file up to its first image.
struct GIFFile {
  /// The screen, enlarged where the image reaches beyond it.
  let size: ImageSize
  private let file: LittleEndianBytes
  /// The image's rectangle on the screen.
  private let left, top, width, height: Int
  private let isInterlaced: Bool
  /// Three bytes a colour, black beyond its end; nil: grey levels.
  private let palette: [UInt8]?
  private let transparentIndex: UInt8?
  /// Where the size of the first code stands, before the image's data.
  private let data: Int

  /// Reads the blocks before the first image's data.
  init(_ bytes: [UInt8]) throws(ImageFault) {
    file = LittleEndianBytes(bytes)
    let screen = ImageSize(width: try file.number(6, 2), height: try file.number(8, 2))
    var place = 13
    var palette = try Self.palette(file, flags: file.byte(10), at: &place)
    var transparent: UInt8?
    while true {
      let kind = try file.byte(place)
      if kind == 0x2C { break }
      guard kind != 0x3B else { throw .damaged("it has no image") }
      place += 1
      // Bytes between blocks are skipped, as by Pillow.
      guard kind == 0x21 else { continue }
      let length = try file.byte(place + 1)
      if try file.byte(place) == 0xF9, length >= 4, try file.byte(place + 2) & 1 == 1 {
        transparent = UInt8(try file.byte(place + 5))
      }
      place = try Self.end(of: file, blocksAt: place + 1)
    }
    (left, top) = (try file.number(place + 1, 2), try file.number(place + 3, 2))
    (width, height) = (try file.number(place + 5, 2), try file.number(place + 7, 2))
    let flags = try file.byte(place + 9)
    isInterlaced = flags & 64 != 0
    place += 10
    if flags & 128 != 0 { palette = try Self.palette(file, flags: flags, at: &place) }
    self.palette = palette
    size = ImageSize(width: max(screen.width, left + width), height: max(screen.height, top + height))
    (transparentIndex, data) = (transparent, place)
  }

  /// A colour table; nil where there is none, or where each entry is the grey of its index.
  private static func palette(
    _ file: LittleEndianBytes, flags: Int, at place: inout Int
  ) throws(ImageFault) -> [UInt8]? {
    guard flags & 128 != 0 else { return nil }
    let count = 2 << (flags & 7)
    // Throws where the table is cut.
    _ = try file.byte(place + 3 * count - 1)
    let table = file.bytes[place..<place + 3 * count]
    place += 3 * count
    if table.enumerated().allSatisfy({ $0.offset / 3 == Int($0.element) }) { return nil }
    return table + Array(repeating: 0, count: 3 * (256 - count))
  }

  /// The place after a sequence of sub-blocks and its end.
  private static func end(of file: LittleEndianBytes, blocksAt place: Int) throws(ImageFault) -> Int {
    var place = place
    while case let length = try file.byte(place), length > 0 { place += 1 + length }
    return place + 1
  }

  /// The pixels; `white` lays transparent ones on white. The size must have been found small enough.
  func pixels(white: Bool) throws(ImageFault) -> DecodedPixels {
    let indices = try LZW(file, at: data, count: width * height).indices
    var screen = [UInt8](repeating: transparentIndex ?? 0, count: size.width * size.height)
    for (stored, y) in rows().enumerated() {
      let start = (top + y) * size.width + left
      screen.replaceSubrange(start..<start + width, with: indices[stored * width..<(stored + 1) * width])
    }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * screen.count)
    for index in screen {
      if white, index == transparentIndex {
        pixels.append(contentsOf: [255, 255, 255])
      } else if let palette {
        pixels.append(contentsOf: palette[3 * Int(index)..<3 * Int(index) + 3])
      } else {
        pixels.append(contentsOf: [index, index, index])
      }
    }
    return DecodedPixels(pixels: pixels, damage: hasEnd() ? nil : "no end")
  }

  /// The rows in the order in which they are stored.
  private func rows() -> [Int] {
    guard isInterlaced else { return Array(0..<height) }
    return [(0, 8), (4, 8), (2, 4), (1, 2)].flatMap { Array(stride(from: $0.0, to: height, by: $0.1)) }
  }

  /// Whether the file goes on in whole blocks up to its trailer.
  private func hasEnd() -> Bool {
    do {
      var place = try Self.end(of: file, blocksAt: data + 1)
      while true {
        switch try file.byte(place) {
        case 0x3B: return true
        case 0x21: place = try Self.end(of: file, blocksAt: place + 2)
        case 0x2C:
          let flags = try file.byte(place + 9)
          let table = flags & 128 != 0 ? 6 << (flags & 7) : 0
          place = try Self.end(of: file, blocksAt: place + 11 + table)
        default: place += 1
        }
      }
    } catch {
      return false
    }
  }
}

/// The data of one image.
private struct LZW {
  /// `count` indices of a palette.
  private(set) var indices: [UInt8] = []
  private static let most = 4096

  /// Unpacks sub-blocks after the size of the first codes. Stops when all indices are there.
  init(_ file: LittleEndianBytes, at place: Int, count: Int) throws(ImageFault) {
    let literalBits = try file.byte(place)
    guard (1...8).contains(literalBits) else { throw .damaged("codes of \(literalBits) bits") }
    let (clear, end) = (1 << literalBits, 1 << literalBits + 1)
    indices.reserveCapacity(count)
    // A code stands for that of `prefix` and one index more, `last`.
    var prefix = [Int16](repeating: 0, count: Self.most)
    var last = [UInt8](repeating: 0, count: Self.most)
    var (next, codeBits, previous): (Int, Int, Int?) = (end + 1, literalBits + 1, nil)
    var (place, left, bits, filled) = (place + 1, 0, 0, 0)
    var reversed: [UInt8] = []
    while indices.count < count {
      while filled < codeBits {
        if left == 0 {
          left = try file.byte(place)
          place += 1
          guard left > 0 else { throw .damaged("pixels are missing") }
        }
        bits |= try file.byte(place) << filled
        (place, left, filled) = (place + 1, left - 1, filled + 8)
      }
      let code = bits & (1 << codeBits - 1)
      (bits, filled) = (bits >> codeBits, filled - codeBits)
      if code == clear {
        (next, codeBits, previous) = (end + 1, literalBits + 1, nil)
        continue
      }
      guard code != end else { throw .damaged("pixels are missing") }
      guard code < next || (code == next && previous != nil) else { throw .damaged("a code that is not defined") }
      // The newest code is the previous one and that one's first index again.
      var rest = code
      reversed.removeAll(keepingCapacity: true)
      if code == next, let previous {
        rest = previous
        reversed.append(0)
      }
      while rest > end {
        reversed.append(last[rest])
        rest = Int(prefix[rest])
      }
      guard rest < clear else { throw .damaged("a code that is not defined") }
      let first = UInt8(rest)
      reversed.append(first)
      if code == next { reversed[0] = first }
      if let previous, next < Self.most {
        (prefix[next], last[next]) = (Int16(previous), first)
        next += 1
        if next == 1 << codeBits, codeBits < 12 { codeBits += 1 }
      }
      previous = code
      indices.append(contentsOf: reversed.reversed().prefix(count - indices.count))
    }
  }
}
