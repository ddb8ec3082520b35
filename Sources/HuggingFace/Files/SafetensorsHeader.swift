// The header of a safetensors file, read without trust in any number it states.
import Files

/// The positions of the tensors in one safetensors file.
struct SafetensorsHeader {
  struct Entry: Sendable {
    let name: String
    /// Element type as the file spells it, of any kind.
    let type: String
    let shape: [Int]
    /// Bytes in the file.
    let range: Range<Int>
  }

  /// Tensors in the order of their bytes.
  let entries: [Entry]

  /// More than any released model's header.
  private static let maximumBytes = 32 << 20
  private static let elementBytes = [
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
  ]

  /// - Throws: `HuggingFaceError.malformed` unless the tensors' bytes follow each other without gap or overlap up to
  ///   the end of the file and each has as many as its shape and element type require.
  init(_ file: MappedFile) throws {
    func failure(_ position: String, _ problem: String) -> HuggingFaceError {
      .malformed(file: file.path, position: position, problem: problem)
    }
    guard file.bytes.count >= 8 else { throw failure("header", "only \(file.bytes.count) bytes, truncated") }
    let stated = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard stated <= UInt64(Self.maximumBytes), Int(stated) <= file.bytes.count - 8 else {
      throw failure("header", "states \(stated) bytes, the file has \(file.bytes.count - 8) after it")
    }
    let start = 8 + Int(stated)
    let dataBytes = file.bytes.count - start
    guard case .object(let members) = try JSON(parsing: Array(file.bytes[8..<start]), file: file.path) else {
      throw failure("header", "not a JSON object")
    }

    var entries: [Entry] = []
    for member in members where member.key != "__metadata__" {
      let position = "tensor \(member.key)"
      let fields = try Fields(member.value, file: file.path, path: "tensor \(member.key).")
      let type = try fields.string("dtype")
      let shape = try fields.integers("shape", in: 0...(1 << 48))
      let offsets = try fields.integers("data_offsets", in: 0...Int.max)
      guard offsets.count == 2, offsets[0] <= offsets[1] else {
        throw failure(position, "data_offsets \(offsets) is not a begin and an end")
      }
      guard offsets[1] <= dataBytes else {
        throw failure(position, "ends at byte \(offsets[1]) of \(dataBytes): the file is truncated")
      }
      if let elementBytes = Self.elementBytes[type] {
        var needed = elementBytes
        for size in shape {
          let (product, overflow) = needed.multipliedReportingOverflow(by: size)
          guard !overflow else { throw failure(position, "shape \(shape) overflows") }
          needed = product
        }
        guard needed == offsets[1] - offsets[0] else {
          throw failure(position, "\(type) \(shape) needs \(needed) bytes, has \(offsets[1] - offsets[0])")
        }
      }
      entries.append(Entry(name: member.key, type: type, shape: shape, range: offsets[0]..<offsets[1]))
    }
    entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var end = 0
    for entry in entries {
      guard entry.range.lowerBound == end else {
        throw failure("tensor \(entry.name)", "begins at byte \(entry.range.lowerBound), expected \(end)")
      }
      end = entry.range.upperBound
    }
    guard end == dataBytes else { throw failure("data", "\(dataBytes) bytes, the header accounts for \(end)") }
    self.entries = entries.map {
      let range = $0.range.lowerBound + start..<$0.range.upperBound + start
      return Entry(name: $0.name, type: $0.type, shape: $0.shape, range: range)
    }
  }
}
