// Which safetensors files of a model folder are its weights, by the precedence of transformers' `from_pretrained`.
import Files
import Foundation

/// model.safetensors where there is one, otherwise the shards that model.safetensors.index.json names.
struct WeightFiles {
  static let single = "model.safetensors"
  static let index = "model.safetensors.index.json"

  /// Names of the files, each once, in the order of their bytes.
  let names: [ExactString]
  /// The index as far as it is read: the shard of each tensor, in the order of the tensors' bytes.
  let shards: [(tensor: ExactString, shard: ExactString)]
  /// The index's fields, for errors about it.
  let indexFields: Fields?
  /// One line for each kind of file that looks like weights and is not read.
  let notices: [String]

  /// - Throws: `HuggingFaceError` for a damaged index or one that names files elsewhere, and for a folder that has only
  ///   pickled weights.
  init(_ files: ModelFolder) throws {
    let hasSingle = files.contains(Self.single)
    if hasSingle || !files.contains(Self.index) {
      let pickled = ["pytorch_model.bin", "pytorch_model.bin.index.json"].first(where: files.contains)
      if let pickled, !hasSingle {
        throw HuggingFaceError.unsupported(
          file: files.path, feature: "\(pickled) without \(Self.single)",
          supported: "safetensors: transformers' save_pretrained writes them")
      }
      (names, shards, indexFields) = ([ExactString(Self.single)], [], nil)
    } else {
      let fields = try files.fields(Self.index, maximumBytes: 64 << 20)
      let shards = try Self.shards(fields)
      self.shards = shards.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
      names = Set(shards.values).sorted()
      indexFields = fields
    }
    notices = Self.notices(files, read: names, hasSingle: hasSingle)
  }

  /// Whether a file looks like weights and is not the model's: old shards, or an index that no longer holds.
  func isLeftOut(_ name: ExactString) -> Bool {
    if name.text.hasSameBytes(as: Self.index) { return indexFields == nil }
    // It is of the files that it lies beside.
    if name.text.hasSameBytes(as: FullDigest.file) { return true }
    return Self.isSafetensors(name) && !names.contains(name)
  }

  private static func isSafetensors(_ name: ExactString) -> Bool {
    name.text.utf8.reversed().starts(with: ".safetensors".utf8.reversed())
  }

  private static func shards(_ index: Fields) throws -> [ExactString: ExactString] {
    guard case .object(let weightMap) = index["weight_map"] else {
      throw index.failure("weight_map", "missing, expected an object")
    }
    var shards: [ExactString: ExactString] = [:]
    for member in weightMap {
      let key = "weight_map." + member.key
      guard case .string(let shard) = member.value else { throw index.failure(key, "expected a file name") }
      guard !shard.isEmpty, !shard.utf8.contains(UInt8(ascii: "/")) else {
        throw index.failure(key, "\(shard) is not a file of the folder")
      }
      guard shards.updateValue(ExactString(shard), forKey: ExactString(member.key)) == nil else {
        throw index.failure(key, "given twice")
      }
    }
    return shards
  }

  private static func notices(_ files: ModelFolder, read: [ExactString], hasSingle: Bool) -> [String] {
    var notices: [String] = []
    if hasSingle, files.contains(index) {
      notices.append("\(files.file(index)): not read, \(single) is read instead, as in transformers")
    }
    let others = ((try? FileManager.default.contentsOfDirectory(atPath: files.path)) ?? []).map { ExactString($0) }
      .filter { isSafetensors($0) && !read.contains($0) }.sorted()
    if !others.isEmpty {
      let some = others.prefix(3).map(\.text).joined(separator: ", ") + (others.count > 3 ? ", ..." : "")
      let reason = hasSingle ? "\(single) is the whole model" : "\(index) does not name them"
      notices.append("\(files.path): \(others.count) safetensors files not read, since \(reason): \(some)")
    }
    return notices
  }
}
