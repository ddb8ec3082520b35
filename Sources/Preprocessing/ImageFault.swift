// What a reader of one format says of a file, before the file's name is known.

/// Why a file's pixels are not read.
enum ImageFault: Error {
  /// Pixels are missing or cannot be told.
  case damaged(String)
  /// The file is sound but of a kind that is not read, as "an animated WebP".
  case notRead(String)
}

/// The pixels of a file, `[height, width, 3]`.
struct DecodedPixels {
  var pixels: [UInt8]
  /// What is wrong with a file that has all its pixels nevertheless; nil for a sound one.
  var damage: String?
}

/// Bytes of a file with checked places; numbers are little-endian.
struct LittleEndianBytes {
  let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The number in `count` bytes at `place`.
  func number(_ place: Int, _ count: Int) throws(ImageFault) -> Int {
    guard place >= 0, count <= bytes.count - place else { throw .damaged("the file ends early") }
    return bytes[place..<place + count].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  func byte(_ place: Int) throws(ImageFault) -> Int {
    guard bytes.indices.contains(place) else { throw .damaged("the file ends early") }
    return Int(bytes[place])
  }
}

/// A sample laid on white, rounded as Pillow's alpha_composite rounds it.
func onWhite(_ sample: UInt8, alpha: UInt8) -> UInt8 {
  let t = UInt32(sample) * UInt32(alpha) + 255 * (255 - UInt32(alpha)) + 128
  return UInt8(truncatingIfNeeded: (t + (t >> 8)) >> 8)
}
