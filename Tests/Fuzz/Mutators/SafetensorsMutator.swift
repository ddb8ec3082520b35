// Changes of a safetensors file whose header still has the length that it states.
import Files

enum SafetensorsMutator {
  /// The file with its header's document or its numbers changed; nil for what is no safetensors file.
  static func mutated(_ bytes: [UInt8], _ random: inout Randomness) -> [UInt8]? {
    guard bytes.count >= 8 else { return nil }
    let stated = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard stated <= UInt64(bytes.count - 8), let header = try? JSON(parsing: Array(bytes[8..<8 + Int(stated)])) else {
      return nil
    }
    let data = Array(bytes[(8 + Int(stated))...])
    if random.below(4) == 0 { return file(header, InputFormat.changed(data, data.count + 64)) }
    let changed = JSONMutator.changed(header, &random)
    return random.below(3) == 0 ? file(changed, data) : placed(changed, data)
  }

  static func file(_ header: JSON, _ data: [UInt8]) -> [UInt8] {
    let text = Array(JSONMutator.text(header).utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text + data
  }

  private static let elementBytes = ["F64": 8, "I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F16": 2, "U8": 1]

  /// A file whose tensors lie one after the other and have the bytes that their shapes need, as far as that is little.
  private static func placed(_ header: JSON, _ data: [UInt8]) -> [UInt8] {
    guard case .object(let members) = header else { return file(header, data) }
    var next = 0
    let tensors = members.map { member -> JSON.Member in
      guard member.key != "__metadata__", case .object(let fields) = member.value,
        let size = elementBytes[member.value["dtype"]?.text ?? ""], let shape = member.value["shape"]?.elements
      else { return member }
      let count = shape.reduce(size) { count, extent in
        guard case .integer(let extent) = extent, (0...(1 << 16)).contains(extent) else { return 1 << 20 }
        return min(count * extent, 1 << 20)
      }
      defer { next += count }
      let offsets = JSON.array([.integer(next), .integer(next + count)])
      return .init(
        key: member.key,
        value: .object(fields.map { $0.key == "data_offsets" ? .init(key: $0.key, value: offsets) : $0 }))
    }
    let room = min(next, 1 << 16)
    return file(.object(tensors), Array(data.prefix(room)) + Array(repeating: 0, count: max(0, room - data.count)))
  }
}
