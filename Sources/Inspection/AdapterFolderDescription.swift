// A folder of an adapter, as `imagelora export` or PEFT wrote it, without its base.
import Adapters
import Artifacts
import Formatting

/// What `imagelora inspect` shows of an adapter's folder; `lines` for people, the properties for programs.
package struct AdapterFolderDescription: Encodable, Equatable {
  struct Tensor: Encodable, Equatable {
    let name: String
    let shape: [Int]
    /// 2-norm.
    let norm: Double
  }

  let folder, kind: String
  let rank: Int
  let alpha: Double
  /// Heads by layer of an Image-LoRA.
  let kvIndices, valueHeadIndices: [String: [Int]]?
  let trainableParameters: Int
  /// Whether the tensors have the digest that the folder states; nil where it states none, as PEFT's.
  let isVerified: Bool?
  /// Of an Image-LoRA: whether image_lora.py is there with the bytes that the folder states.
  let codeIsVerified: Bool?
  let baseModelNameOrPath, revision, baseDigest, chatTemplateDigest, coordinates: String?
  let minPixels, maxPixels: Int?
  let tensors: [Tensor]

  /// - Throws: `FileError` or `HuggingFaceError` for a damaged folder, and tensors of other bytes than it states.
  package init(_ folder: String) throws {
    let contents = try AdapterFolder.inventory(folder)
    self.folder = folder
    (kind, rank, alpha) = (contents.kind.rawValue, contents.rank, contents.alpha)
    (kvIndices, valueHeadIndices) = (contents.kvIndices, contents.valueHeadIndices)
    isVerified = contents.isSealed ? true : nil
    codeIsVerified = contents.hasCode ? true : nil
    (baseModelNameOrPath, revision) = (contents.baseName?.name, contents.baseName?.revision)
    let provenance = contents.provenance
    (baseDigest, chatTemplateDigest) = (provenance.baseDigest, provenance.templateDigest)
    coordinates = provenance.coordinates?.rawValue
    (minPixels, maxPixels) = (provenance.minPixels, provenance.maxPixels)
    tensors = contents.tensors.map { name, shape, values in
      Tensor(name: name, shape: shape, norm: values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }
    trainableParameters = contents.tensors.reduce(0) { $0 + $1.values.count }
  }

  package var lines: [String] {
    func line(_ name: String, _ value: String) -> String { padded(name, to: 16, gap: 2) + value }
    func heads(_ indices: [String: [Int]]) -> String {
      indices.sorted { (Int($0.key) ?? 0) < (Int($1.key) ?? 0) }
        .map { "\($0.key)[\($0.value.map(String.init).joined(separator: ","))]" }.joined(separator: " ")
    }
    func limit(_ pixels: Int?) -> String { pixels.map(String.init) ?? "unknown" }
    var lines = [
      line("adapter", "\(folder): \(kind) of rank \(rank), alpha \(alpha)"),
      line("checksum", isVerified == nil ? "none stated" : "valid"),
      line(
        "base", ([baseModelNameOrPath, revision].compactMap(\.self) + [baseDigest ?? "unknown"]).joined(separator: " ")),
      line("template", chatTemplateDigest ?? "unknown"),
      line("image limits", "\(limit(minPixels)) to \(limit(maxPixels)) pixels"),
      line("coordinates", coordinates ?? "unknown"),
    ]
    if kind == AdapterKind.imageLoRA.rawValue {
      lines.append(line("transformers", codeIsVerified == nil ? "no image_lora.py" : "image_lora.py, as exported"))
    }
    if let kvIndices { lines.append(line("KV heads", heads(kvIndices))) }
    if let valueHeadIndices { lines.append(line("value heads", heads(valueHeadIndices))) }
    lines.append(line("trainable", "\(trainableParameters) parameters"))
    return lines
      + tensors.map { tensor in
        "  " + padded(tensor.name, to: 16, gap: 2) + padded("\(tensor.shape)", to: 18, gap: 2)
          + "norm \(significant(tensor.norm, digits: 6))"
      }
  }
}
