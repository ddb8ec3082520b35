// The tensors of one or several safetensors files, mapped and checked; nothing is copied.
import Digests
import Synchronization
import Tensors

/// A checkpoint's tensors by name.
package final class Checkpoint: Sendable {
  private struct Tensor: Sendable {
    let entry: SafetensorsHeader.Entry
    let file: MappedFile
  }

  /// The folder or file, for messages.
  package let source: String
  private let tensors: [String: Tensor]
  private let claimed = Mutex<Set<String>>([])

  /// Maps the shards that `folder`'s model.safetensors.index.json names, or its single model.safetensors.
  ///
  /// - Throws: `HuggingFaceError` for a missing, truncated or lying file, a tensor that two shards hold or that is
  ///   not in the shard which the index names.
  package convenience init(folder: String) throws {
    let files = ModelFolder(path: folder)
    guard files.contains("model.safetensors.index.json") else {
      try self.init(source: folder, files: [files.file("model.safetensors")])
      return
    }
    let index = try files.fields("model.safetensors.index.json", maximumBytes: 64 << 20)
    guard case .object(let weightMap) = index["weight_map"] else {
      throw index.failure("weight_map", "missing, expected an object")
    }
    var shards: [String: String] = [:]
    for member in weightMap {
      let key = "weight_map." + member.key
      guard case .string(let shard) = member.value else { throw index.failure(key, "expected a file name") }
      guard !shard.isEmpty, !shard.contains("/") else {
        throw index.failure(key, "\(shard) is not a file of the folder")
      }
      guard shards.updateValue(shard, forKey: member.key) == nil else { throw index.failure(key, "given twice") }
    }
    try self.init(source: folder, files: Set(shards.values).sorted().map(files.file))
    for (name, shard) in shards.sorted(by: { $0.key < $1.key }) {
      guard tensors[name]?.file.path == files.file(shard) else {
        throw index.failure("weight_map." + name, "\(shard) has no such tensor")
      }
    }
  }

  /// Maps one safetensors file.
  ///
  /// - Throws: `HuggingFaceError` for a missing, truncated or lying file.
  package convenience init(file: String) throws {
    try self.init(source: file, files: [file])
  }

  private init(source: String, files: [String]) throws {
    var tensors: [String: Tensor] = [:]
    for path in files {
      let file = try MappedFile(path: path)
      for entry in try SafetensorsHeader(file).entries {
        if let other = tensors.updateValue(Tensor(entry: entry, file: file), forKey: entry.name) {
          throw HuggingFaceError.malformed(
            file: path, position: "tensor \(entry.name)", problem: "also in \(other.file.path)")
        }
      }
    }
    self.source = source
    self.tensors = tensors
  }

  /// All tensors' names in the order of their UTF-8.
  package var names: [String] {
    tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  package func contains(_ name: String) -> Bool { tensors[name] != nil }

  /// A tensor's shape without claiming it, nil if there is none of this name.
  package func shape(of name: String) -> [Int]? { tensors[name]?.entry.shape }

  /// Bytes of all tensors, as their files' headers state them.
  package var byteCount: Int { tensors.values.reduce(0) { $0 + $1.entry.range.count } }

  /// The element types that occur, in order, as the files spell them.
  package var elementTypes: [String] { Set(tensors.values.map(\.entry.type)).sorted() }

  /// Names for which `tensor` was never asked, in order: what the model does not know.
  package var unclaimed: [String] {
    let claimed = claimed.withLock { $0 }
    return names.filter { !claimed.contains($0) }
  }

  /// The tensor as mapped from its file; it keeps the file mapped.
  ///
  /// - Throws: `HuggingFaceError` if it is missing, has another shape, or an element type other than F32, BF16 and F16.
  package func tensor(_ name: String, shape: [Int]) throws -> StoredTensor {
    guard let tensor = tensors[name] else {
      throw HuggingFaceError.missingTensor(name: name, checkpoint: source)
    }
    let entry = tensor.entry
    func mismatch(_ expected: String, _ found: String) -> HuggingFaceError {
      .tensorMismatch(name: name, file: tensor.file.path, expected: expected, found: found)
    }
    guard entry.shape == shape else { throw mismatch("shape \(shape)", "\(entry.shape)") }
    guard let type = ElementType(rawValue: entry.type) else { throw mismatch("F32, BF16 or F16", entry.type) }
    guard entry.range.lowerBound % type.byteCount == 0, let start = tensor.file.bytes.baseAddress else {
      throw mismatch("an offset that is a multiple of \(type.byteCount)", "byte \(entry.range.lowerBound)")
    }
    claimed.withLock { _ = $0.insert(name) }
    return StoredTensor(
      name: name, type: type, shape: shape, base: start + entry.range.lowerBound, owner: tensor.file)
  }

  /// A fingerprint of the weights that costs milliseconds whatever their size: SHA-256 over, for every tensor in the
  /// order of the names' UTF-8, the line "name type shape" (shape joined by x) and the first, middle and last 4 KiB of
  /// its bytes (all of them, once, where there are at most 12 KiB). How tensors are spread over files does not matter.
  package var digest: String {
    var digest = SHA256()
    for name in names {
      guard let tensor = tensors[name] else { continue }
      let entry = tensor.entry
      digest.update("\(name) \(entry.type) \(entry.shape.map(String.init).joined(separator: "x"))\n")
      let bytes = UnsafeRawBufferPointer(rebasing: tensor.file.bytes[entry.range])
      let block = 4096
      let starts = bytes.count <= 3 * block ? [] : [0, (bytes.count - block) / 2, bytes.count - block]
      if starts.isEmpty { digest.update(bytes) }
      for start in starts { digest.update(UnsafeRawBufferPointer(rebasing: bytes[start..<start + block])) }
    }
    return digest.finish()
  }
}
