// Adapter files: adapter.safetensors and adapter_config.json, read for use here and written for others.
import Foundation
import HuggingFace
import Tensors

/// Reads and writes the folder that `imagelora export` makes.
public enum AdapterFiles {
  /// adapter_config.json.
  public struct Config: Codable, Equatable, Sendable {
    public var adapter_type: String
    public var rank: Int
    public var alpha: Double
    public var normalization: String
    public var kv_indices: [String: [Int]]
    /// What the adapter must be used with, where known.
    public var base_digest: String?
    public var min_pixels: Int?
    public var max_pixels: Int?
    public var chat_template_digest: String?

    public init(_ configuration: ImageLoRAConfiguration) {
      adapter_type = "image_lora"
      rank = configuration.rank
      alpha = configuration.alpha
      normalization = configuration.normalization.rawValue
      kv_indices = Dictionary(uniqueKeysWithValues: configuration.kvIndices.map { ("\($0)", $1) })
    }
  }

  /// An adapter's files that cannot be used, and why.
  public struct FileError: Error, Equatable, CustomStringConvertible {
    public let file: String
    public let problem: String
    public var description: String { "\(file): \(problem)" }
  }

  /// What a folder's adapter_config.json states, as it states it.
  /// - Throws: `FileError`.
  public static func config(_ folder: String) throws -> Config {
    let path = folder + "/adapter_config.json"
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else {
      throw FileError(file: path, problem: "cannot be read; give a folder that imagelora export made")
    }
    do {
      return try JSONDecoder().decode(Config.self, from: data)
    } catch {
      throw FileError(file: path, problem: "not an adapter's configuration: \(error.localizedDescription)")
    }
  }

  /// Reads an adapter for a model of the stated shape.
  /// - Throws: `FileError` or `HuggingFaceError`.
  public static func load(_ folder: String, base text: TextConfiguration) throws -> ImageLoRA<Float> {
    let config = try config(folder)
    func refuse(_ problem: String) -> FileError {
      FileError(file: folder + "/adapter_config.json", problem: problem)
    }
    guard config.adapter_type == "image_lora" else {
      throw refuse("adapter_type \(config.adapter_type) is not image_lora")
    }
    guard let normalization = ImageLoRAConfiguration.Normalization(rawValue: config.normalization) else {
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
    adapter.load(try adapter.layout.tensors.flatMap { try file.tensor($0.name, shape: $0.shape).values() as [Float] })
    guard file.unclaimed.isEmpty else {
      throw FileError(
        file: folder + "/adapter.safetensors",
        problem: "tensor \(file.unclaimed[0]) belongs to no layer of kv_indices in adapter_config.json")
    }
    return adapter
  }

  /// The rank-1 probe's projections `[L][H]` beside an adapter, nil where there are none.
  public static func probe(_ folder: String, base text: TextConfiguration) throws -> [[Float]]? {
    let path = folder + "/probe.safetensors"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try Checkpoint(file: path)
    return try (0..<text.layers).map { try file.tensor("layers.\($0).A", shape: [text.hiddenSize]).values() }
  }
}
