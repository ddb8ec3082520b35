// The tensors of one or several safetensors files, mapped and checked; nothing is copied.
import Digests
import Files
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
  /// What of the folder looks like weights and was not read, a line each.
  package let notices: [String]
  private let tensors: [ExactString: Tensor]
  /// In the order of their names' bytes.
  let files: [MappedFile]
  private let claimed = Mutex<Set<ExactString>>([])

  /// Maps the weights of `folder`: its model.safetensors, otherwise the shards that model.safetensors.index.json names.
  ///
  /// - Throws: `HuggingFaceError` for a missing, truncated or lying file, a tensor that two shards hold or that is
  ///   not in the shard which the index names.
  package convenience init(folder: String) throws {
    let files = ModelFolder(path: folder)
    let weights = try WeightFiles(files)
    try self.init(source: folder, files: weights.names.map { files.file($0.text) }, notices: weights.notices)
    for (name, shard) in weights.shards {
      let file = tensors[name]?.file.path
      guard let index = weights.indexFields, file?.hasSameBytes(as: files.file(shard.text)) != true else { continue }
      throw index.failure("weight_map." + name.text, "\(shard) has no such tensor")
    }
  }

  /// Maps one safetensors file.
  ///
  /// - Parameter check: takes the SHA-256 of the file's bytes before anything of it is believed; absent: none is made.
  /// - Throws: `HuggingFaceError` for a missing, truncated or lying file, or what `check` throws.
  package convenience init(file: String, check: ((_ sha256: String) throws -> Void)? = nil) throws {
    try self.init(source: file, files: [file], notices: [], check: check)
  }

  private init(
    source: String, files: [String], notices: [String], check: ((_ sha256: String) throws -> Void)? = nil
  ) throws {
    var tensors: [ExactString: Tensor] = [:]
    var mapped: [MappedFile] = []
    for path in files {
      let file = try MappedFile(path: path)
      mapped.append(file)
      if let check { try check(SHA256.hex(file.bytes)) }
      for entry in try SafetensorsHeader(file).entries {
        if let other = tensors.updateValue(Tensor(entry: entry, file: file), forKey: ExactString(entry.name)) {
          throw HuggingFaceError.malformed(
            file: path, position: "tensor \(entry.name)", problem: "also in \(other.file.path)")
        }
      }
    }
    self.source = source
    self.notices = notices
    self.tensors = tensors
    self.files = mapped
  }

  /// Throws if one of the files was written to since it was mapped: what was computed since has no base that could be
  /// named.
  /// - Throws: `FileError`.
  package func requireUnchanged() throws(FileError) { for file in files { try file.requireUnchanged() } }

  /// All tensors' names in the order of their UTF-8.
  package var names: [String] {
    tensors.keys.sorted().map(\.text)
  }

  package func contains(_ name: String) -> Bool { tensors[ExactString(name)] != nil }

  /// A tensor's shape without claiming it, nil if there is none of this name.
  package func shape(of name: String) -> [Int]? { tensors[ExactString(name)]?.entry.shape }

  /// Bytes of all tensors, as their files' headers state them.
  package var byteCount: Int { tensors.values.reduce(0) { $0 + $1.entry.range.count } }

  /// The element types that occur, in order, as the files spell them.
  package var elementTypes: [String] { Set(tensors.values.map(\.entry.type)).sorted() }

  /// The element type that most bytes have: of the large matrices, whatever a few vectors have. Of equals the first.
  package var mainElementType: String? {
    let bytes = Dictionary(tensors.values.map { ($0.entry.type, $0.entry.range.count) }, uniquingKeysWith: +)
    return bytes.sorted { $0.key < $1.key }.max { $0.value < $1.value }?.key
  }

  /// Names for which `tensor` was never asked, in order: what the model does not know.
  package var unclaimed: [String] {
    let claimed = claimed.withLock { $0 }
    return names.filter { !claimed.contains(ExactString($0)) }
  }

  /// The tensor as mapped from its file; it keeps the file mapped.
  ///
  /// - Throws: `HuggingFaceError` if it is missing, has another shape, or an element type other than F32, BF16 and F16.
  package func tensor(_ name: String, shape: [Int]) throws -> StoredTensor {
    guard let tensor = tensors[ExactString(name)] else {
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
    claimed.withLock { _ = $0.insert(ExactString(name)) }
    return StoredTensor(
      name: name, type: type, shape: shape, base: start + entry.range.lowerBound, owner: tensor.file)
  }

  /// A fingerprint of the weights that costs milliseconds whatever their size: SHA-256 over, for every tensor in the
  /// order of the names' UTF-8, the line "name type shape" (shape joined by x) and the first, middle and last 4 KiB of
  /// its bytes (all of them, once, where there are at most 12 KiB). How tensors are spread over files does not matter.
  package var digest: String {
    var digest = SHA256()
    for name in names {
      guard let tensor = tensors[ExactString(name)] else { continue }
      digest.update(Self.line(tensor.entry))
      let bytes = UnsafeRawBufferPointer(rebasing: tensor.file.bytes[tensor.entry.range])
      let block = 4096
      let starts = bytes.count <= 3 * block ? [] : [0, (bytes.count - block) / 2, bytes.count - block]
      if starts.isEmpty { digest.update(bytes) }
      for start in starts { digest.update(UnsafeRawBufferPointer(rebasing: bytes[start..<start + block])) }
    }
    return digest.finish()
  }

  private static func line(_ entry: SafetensorsHeader.Entry) -> String {
    "\(entry.name) \(entry.type) \(entry.shape.map(String.init).joined(separator: "x"))\n"
  }

  /// SHA-256 over, for every tensor in the order of the names' UTF-8, the line "name type shape" and all of its bytes.
  /// It reads all files.
  /// - Parameter progress: takes the bytes read so far, after every 64 MiB.
  package func fullDigest(progress: (_ bytes: Int) -> Void = { _ in }) -> String {
    var digest = SHA256()
    var done = 0
    for name in names {
      guard let tensor = tensors[ExactString(name)] else { continue }
      digest.update(Self.line(tensor.entry))
      var rest = tensor.file.bytes[tensor.entry.range]
      while !rest.isEmpty {
        let block = rest.prefix(64 << 20)
        digest.update(UnsafeRawBufferPointer(rebasing: block))
        done += block.count
        progress(done)
        rest = rest.dropFirst(block.count)
      }
    }
    return digest.finish()
  }
}
