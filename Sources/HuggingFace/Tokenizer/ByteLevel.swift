// The printable alphabet in which byte-level vocabularies spell bytes (GPT-2's `bytes_to_unicode`).

enum ByteLevel {
  /// The byte of each scalar of the alphabet, which is U+0021 to U+0143 with gaps.
  private static let bytes: [UInt8?] = {
    var bytes = [UInt8?](repeating: nil, count: 0x144)
    var unprintable = 0x100
    for byte in 0...255 {
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
      bytes[isPrintable ? byte : unprintable] = UInt8(byte)
      if !isPrintable { unprintable += 1 }
    }
    return bytes
  }()

  /// The bytes that a vocabulary's spelling in UTF-8 stands for; nil if a scalar is not of the alphabet.
  static func decode(_ spelling: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(spelling.count)
    let bytes = bytes
    var lead = 0
    for unit in spelling {
      // Scalars of the alphabet take one or two bytes.
      if (0xC2...0xC5).contains(unit) {
        lead = Int(unit & 0x1F) << 6
        continue
      }
      let code = lead == 0 ? Int(unit) : lead | Int(unit & 0x3F)
      guard code < bytes.count, let byte = bytes[code] else { return nil }
      result.append(byte)
      lead = 0
    }
    return result
  }
}
