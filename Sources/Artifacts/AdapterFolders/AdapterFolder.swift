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
    var rank: Int
    var alpha: Double
    var normalization: String
    var kv_indices: [String: [Int]]

    init(_ configuration: ImageLoRAConfiguration) {
      adapter_type = AdapterKind.imageLoRA.rawValue
      rank = configuration.rank
      alpha = configuration.alpha
      normalization = configuration.normalization.rawValue
      kv_indices = Dictionary(uniqueKeysWithValues: configuration.kvIndices.map { ("\($0)", $1) })
    }
  }

  /// The file next to PEFT's that states what the adapter must be used with.
  static let provenanceFile = "conditions.json"
  /// Largest JSON document that is read, in bytes.
  private static let maximumBytes = 1 << 24

  private static func decode<T: Decodable>(_ type: T.Type, _ path: String) throws -> T {
    let data: Data
    do {
      data = try readFile(path, maximumBytes: maximumBytes)
    } catch {
      throw FileError(path, error.problem, remedy: "give a folder of imagelora export or of PEFT", cause: error.cause)
    }
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      throw FileError(path, "not an adapter's configuration: \(jsonProblem(error, in: data))")
    }
  }

  /// What a folder's adapter must be used with; empty where the folder does not state it.
  /// - Throws: `FileError` or `HuggingFaceError`.
  package static func provenance(_ folder: String) throws -> AdapterProvenance {
    guard try PEFTConfiguration.isPresent(in: folder) else {
      return try decode(AdapterProvenance.self, folder + "/adapter_config.json").ofItsVersion
    }
    let path = folder + "/" + provenanceFile
    guard FileManager.default.fileExists(atPath: path) else { return AdapterProvenance() }
    return try decode(AdapterProvenance.self, path).ofItsVersion
  }

  /// Reads an adapter for a model of the stated shape: what `export` wrote, or a LoRA of PEFT.
  /// - Throws: `FileError` or `HuggingFaceError`.
  package static func load(_ folder: String, base text: TextConfiguration) throws -> any Adapter<Float> {
    try PEFTConfiguration.isPresent(in: folder)
      ? try PEFTFolder.load(folder, base: text) : try imageLoRA(folder, base: text)
  }

  private static func imageLoRA(_ folder: String, base text: TextConfiguration) throws -> ImageLoRA<Float> {
    let config = try decode(Config.self, folder + "/adapter_config.json")
    func refuse(_ problem: String) -> FileError {
      FileError(folder + "/adapter_config.json", problem)
    }
    guard config.adapter_type == AdapterKind.imageLoRA.rawValue else {
      throw refuse("adapter_type \(config.adapter_type) is not \(AdapterKind.imageLoRA.rawValue)")
    }
    guard let normalization = Normalization(rawValue: config.normalization) else {
      throw refuse("normalization \(config.normalization) is not inverse_sqrt_selected or none")
    }
    guard (1...65_536).contains(config.rank), config.alpha.isFinite else {
      throw refuse("rank \(config.rank) or alpha \(config.alpha) is out of range")
    }
    var kvIndices: [Int: [Int]] = [:]
    for (name, heads) in config.kv_indices {
      guard let layer = Int(name), (0..<text.layers).contains(layer), kvIndices[layer] == nil,
        heads.allSatisfy({ (0..<text.kvHeads).contains($0) }), Set(heads).count == heads.count
      else { throw refuse("kv_indices of layer \(name), \(heads), do not fit the model") }
      kvIndices[layer] = heads
    }
    let adapter = ImageLoRA<Float>(
      ImageLoRAConfiguration(
        rank: config.rank, alpha: config.alpha, normalization: normalization, kvIndices: kvIndices), text: text)
    let file = try Checkpoint(file: folder + "/adapter.safetensors")
    adapter.load(try adapter.layout.tensors.flatMap { try finite(file, $0.name, shape: $0.shape) })
    guard file.unclaimed.isEmpty else {
      throw FileError(
        folder + "/adapter.safetensors",
        "tensor \(file.unclaimed[0]) belongs to no layer of kv_indices in adapter_config.json")
    }
    return adapter
  }

  /// The rank-1 probe's projections `[L][H]` in an adapter's folder, nil where there are none.
  package static func probe(_ folder: String, base text: TextConfiguration) throws -> [[Float]]? {
    let path = folder + "/probe.safetensors"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try Checkpoint(file: path)
    return try (0..<text.layers).map { try finite(file, "layers.\($0).A", shape: [text.hiddenSize]) }
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
