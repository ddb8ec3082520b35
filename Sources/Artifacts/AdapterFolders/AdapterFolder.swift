// Folders of adapters, read for use here and written for others: this program's form of an Image-LoRA, PEFT's of a
// LoRA.
import Adapters
import Files
import Foundation
import HuggingFace
import Tensors

/// Reads and writes folders of adapters.
package enum AdapterFolder {
  /// adapter_config.json of an Image-LoRA; what it must be used with stands among its keys.
  struct Config: Codable, Equatable, Sendable {
    var adapter_type: String
    var format_version: Int?
    var rank: Int
    var alpha: Double
    var normalization: String
    var kv_indices: [String: [Int]]?
    var value_head_indices: [String: [Int]]?

    init(_ configuration: ImageLoRAConfiguration) {
      adapter_type = AdapterKind.imageLoRA.rawValue
      format_version = AdapterFolder.formatVersion
      rank = configuration.rank
      alpha = configuration.alpha
      normalization = configuration.normalization.rawValue
      func named(_ heads: [Int: [Int]]) -> [String: [Int]]? {
        heads.isEmpty ? nil : Dictionary(uniqueKeysWithValues: heads.map { ("\($0)", $1) })
      }
      (kv_indices, value_head_indices) = (named(configuration.kvIndices), named(configuration.valueHeadIndices))
    }
  }

  /// The form of an Image-LoRA's folder; folders that state none are of it.
  static let formatVersion = 1
  /// What puts an Image-LoRA on transformers' models.
  static let codeFile = "image_lora.py"
  static let ptCodeFile = "image_lora_pt.py"
  /// The tensors of an Image-LoRA.
  static let tensorFile = "adapter.safetensors"
  /// The file next to PEFT's that states what the adapter must be used with, and the digests of PEFT's files.
  static let provenanceFile = "conditions.json"
  static let configurationFile = "adapter_config.json"

  /// What a folder's adapter must be used with; empty where the folder does not state it.
  /// - Throws: `FileError` or `HuggingFaceError`.
  package static func provenance(_ folder: String) throws -> AdapterProvenance {
    guard try PEFTConfiguration.isPresent(in: folder) else {
      return try AdapterDocument("\(folder)/\(configurationFile)").provenance
    }
    return try conditions(folder)?.provenance ?? AdapterProvenance()
  }

  /// What stands beside PEFT's files, checked against PEFT's configuration; nil in folders that PEFT itself made.
  static func conditions(_ folder: String) throws -> AdapterDocument? {
    let path = folder + "/" + provenanceFile
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let document = try AdapterDocument(path)
    try document.checkConfiguration("\(folder)/\(configurationFile)")
    return document
  }

  /// Reads an adapter for a model of the stated shape: what `export` wrote, or a LoRA of PEFT.
  /// - Parameter vision: the vision tower's; nil: of a decoder alone.
  /// - Throws: `FileError` or `HuggingFaceError`.
  package static func load(
    _ folder: String, base text: TextConfiguration, _ vision: VisionConfiguration? = nil
  ) throws -> any Adapter<Float> {
    try PEFTConfiguration.isPresent(in: folder)
      ? try PEFTFolder.load(folder, base: text, vision) : try imageLoRA(folder, base: text)
  }

  private static func imageLoRA(_ folder: String, base text: TextConfiguration) throws -> ImageLoRA<Float> {
    let document = try AdapterDocument("\(folder)/\(configurationFile)")
    func refuse(_ problem: String) -> FileError { FileError(document.path, problem) }
    try document.requireImageLoRA()
    let (rank, alpha) = (
      try document.required("rank", document.integer), try document.required("alpha", document.number)
    )
    let normalization: Normalization = try document.required("normalization", document.choice)
    guard (1...65_536).contains(rank), alpha.isFinite else {
      throw refuse("rank \(rank) or alpha \(alpha) is out of range")
    }
    func indices(_ key: String, linear: Bool) throws -> [Int: [Int]] {
      var indices: [Int: [Int]] = [:]
      for (name, heads) in try document.lists(ExactString(key)) ?? [] {
        guard let layer = Int(name), "\(layer)" == name, (0..<text.layers).contains(layer), indices[layer] == nil,
          text.isLinear(layer) == linear, heads.allSatisfy({ (0..<text.valueHeads(of: layer).count).contains($0) }),
          Set(heads).count == heads.count
        else { throw refuse("\(key) of layer \(quoted(name)), \(heads), do not fit the model") }
        indices[layer] = heads
      }
      return indices
    }
    let options = ImageLoRAConfiguration(
      rank: rank, alpha: alpha, normalization: normalization, kvIndices: try indices("kv_indices", linear: false),
      valueHeadIndices: try indices("value_head_indices", linear: true))
    guard !options.heads.isEmpty else { throw refuse("kv_indices is missing: no head is adapted") }
    let path = "\(folder)/\(tensorFile)"
    let file = try Checkpoint(file: path, check: document.tensorsCheck(of: path))
    // Before memory is taken for an adapter: its sizes are believed once the file has tensors of them.
    let layout = AdapterConfiguration.imageLoRA(options).layout(text)
    let values = try layout.tensors.flatMap { try finite(file, $0.name, shape: $0.shape) }
    guard file.unclaimed.isEmpty else {
      throw FileError(
        path,
        "tensor \(file.unclaimed[0]) belongs to no layer of kv_indices or value_head_indices in adapter_config.json")
    }
    let adapter = ImageLoRA<Float>(options, text: text)
    adapter.load(values)
    return adapter
  }

  /// The rank-1 probe's projections `[L][H]` in an adapter's folder, nil where there are none; zeros for layers without
  /// heads of this kind.
  package static func probe(_ folder: String, base text: TextConfiguration, heads: ValueHeads) throws -> [[Float]]? {
    let path = folder + "/probe.safetensors"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try Checkpoint(file: path)
    return try heads.capacity(text).enumerated().map { layer, count in
      count > 0
        ? try finite(file, "layers.\(layer).A", shape: [text.hiddenSize]) : Array(repeating: 0, count: text.hiddenSize)
    }
  }

  /// A tensor's values.
  /// - Throws: `FileError` where one is not finite, or `HuggingFaceError`.
  static func finite(_ file: Checkpoint, _ name: String, shape: [Int]) throws -> [Float] {
    let values: [Float] = try file.tensor(name, shape: shape).values()
    guard values.allSatisfy(\.isFinite) else {
      throw FileError(file.source, "tensor \(name) holds a value that is not finite")
    }
    return values
  }
}
