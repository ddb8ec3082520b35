// Changes of a PNG's chunks, whose lengths and checksums are made right again.

enum PNGMutator {
  private struct Chunk {
    var type: [UInt8]
    var data: [UInt8]
  }

  private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
  private static let types = [
    "tRNS", "PLTE", "eXIf", "gAMA", "iCCP", "sRGB", "tEXt", "zTXt", "IDAT", "IEND", "acTL", "bKGD",
  ]

  /// The file with one chunk changed, added, moved or taken away; nil for what has no chunk.
  static func mutated(_ bytes: [UInt8], _ random: inout Randomness) -> [UInt8]? {
    guard bytes.starts(with: signature) else { return nil }
    var chunks = chunks(bytes)
    guard !chunks.isEmpty else { return nil }
    let index = random.below(chunks.count)
    switch random.below(10) {
    case 0: chunks.insert(chunks[index], at: random.below(chunks.count + 1))
    case 1 where chunks.count > 1: chunks.remove(at: index)
    case 2: chunks.swapAt(index, random.below(chunks.count))
    case 3:
      let data = InputFormat.changed(random.one(of: chunks).data, 256)
      chunks.insert(Chunk(type: Array(random.one(of: types).utf8), data: data), at: random.below(chunks.count + 1))
    case 4:  // the header: width, height, depth, colour, interlacing
      if chunks[0].data.count == 13 {
        let place = random.one(of: [2, 3, 6, 7, 8, 9, 12])
        chunks[0].data[place] = UInt8(random.one(of: [0, 1, 2, 3, 4, 6, 7, 8, 16, 17, 33, 255]))
      }
    default: chunks[index].data = InputFormat.changed(chunks[index].data, chunks[index].data.count + 64)
    }
    return signature + chunks.flatMap(encoded)
  }

  private static func chunks(_ bytes: [UInt8]) -> [Chunk] {
    var chunks: [Chunk] = []
    var place = signature.count
    while bytes.count - place >= 12 {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - place - 12 else { break }
      chunks.append(
        Chunk(type: Array(bytes[place + 4..<place + 8]), data: Array(bytes[place + 8..<place + 8 + length])))
      place += 12 + length
    }
    return chunks
  }

  private static func encoded(_ chunk: Chunk) -> [UInt8] {
    let body = chunk.type + chunk.data
    return big(UInt32(chunk.data.count)) + body + big(crc(body))
  }

  private static func big(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ ($0 >> 8) }
  }
}
