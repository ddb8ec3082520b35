// How inputs are changed: as bytes, or so that they get past a format's first check.

/// libFuzzer's own mutations. The symbol is C's; numbers and pointers are passed alike.
@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ limit: Int) -> Int

/// Random numbers of one mutation (SplitMix64).
struct Randomness {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// 0 to `bound` - 1.
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  mutating func one<Value>(of values: [Value]) -> Value { values[below(values.count)] }
}

/// The format of a target's inputs.
indirect enum InputFormat: Sendable {
  case bytes
  case json
  /// A JSON document a line.
  case jsonLines
  case safetensors
  case png
  /// Several files in one input.
  case files([String: InputFormat])

  /// The input changed. Every format is also changed as bytes, which no structure forbids.
  func mutated(_ bytes: [UInt8], _ limit: Int, _ random: inout Randomness) -> [UInt8] {
    if random.below(5) == 0 { return Self.changed(bytes, limit) }
    switch self {
    case .bytes: return Self.changed(bytes, limit)
    case .json: return JSONMutator.mutated(bytes, &random) ?? Self.changed(bytes, limit)
    case .jsonLines: return Self.lines(bytes, limit, &random)
    case .safetensors: return SafetensorsMutator.mutated(bytes, &random) ?? Self.changed(bytes, limit)
    case .png: return PNGMutator.mutated(bytes, &random) ?? Self.changed(bytes, limit)
    case .files(let formats):
      var input = FilesInput(bytes, names: formats.keys.sorted())
      guard !input.files.isEmpty else { return Self.changed(bytes, limit) }
      let index = random.below(input.files.count)
      if random.below(40) == 0 {
        input.files.remove(at: index)
      } else {
        let file = input.files[index]
        let room = max(16, limit - bytes.count + file.bytes.count)
        input.files[index].bytes = (formats[file.name] ?? .bytes).mutated(file.bytes, room, &random)
      }
      return input.bytes
    }
  }

  /// Changed by libFuzzer, which also knows the dictionary and what comparisons wanted.
  static func changed(_ bytes: [UInt8], _ limit: Int) -> [UInt8] {
    // Room for what one mutation adds, and no more: most inputs are far shorter than the limit.
    var buffer = bytes + [UInt8](repeating: 0, count: max(0, min(limit - bytes.count, bytes.count + 64)))
    let room = buffer.count
    guard room > 0 else { return bytes }
    let count = buffer.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mutateBytes($0, bytes.count, room) } ?? 0
    }
    return Array(buffer.prefix(count))
  }

  private static func lines(_ bytes: [UInt8], _ limit: Int, _ random: inout Randomness) -> [UInt8] {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    guard !lines.isEmpty else { return changed(bytes, limit) }
    let index = random.below(lines.count)
    switch random.below(8) {
    case 0: lines.insert(lines[index], at: random.below(lines.count + 1))
    case 1 where lines.count > 1: lines.remove(at: index)
    case 2: lines.swapAt(index, random.below(lines.count))
    default: lines[index] = JSONMutator.mutated(lines[index], &random) ?? changed(lines[index], limit)
    }
    return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
  }
}
