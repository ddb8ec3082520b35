// Adapter files, read for use here and written for others: this program's form of an Image-LoRA, PEFT's of a LoRA.
import Datasets
import Foundation
import HuggingFace
import QwenVL
import Tensors

/// Reads and writes folders of adapters.
package enum AdapterFiles {
  /// adapter_config.json of an Image-LoRA.
  struct Config: Codable, Equatable, Sendable {
    var adapter_type: String
    var rank: Int
    var alpha: Double
    var normalization: String
    var kv_indices: [String: [Int]]
    var base_digest: String?
    var min_pixels: Int?
    var max_pixels: Int?
    var chat_template_digest: String?

    init(_ configuration: ImageLoRAConfiguration, _ conditions: Conditions) {
      adapter_type = "image_lora"
      rank = configuration.rank
      alpha = configuration.alpha
      normalization = configuration.normalization.rawValue
      kv_indices = Dictionary(uniqueKeysWithValues: configuration.kvIndices.map { ("\($0)", $1) })
      (base_digest, chat_template_digest) = (conditions.base_digest, conditions.chat_template_digest)
      (min_pixels, max_pixels) = (conditions.min_pixels, conditions.max_pixels)
    }
  }

  /// What an adapter must be used with, where known: in adapter_config.json of an Image-LoRA, in conditions.json beside
  /// PEFT's files.
  package struct Conditions: Codable, Equatable, Sendable {
    package var base_digest: String?
    package var min_pixels: Int?
    package var max_pixels: Int?
    package var chat_template_digest: String?

    package init(
      base_digest: String? = nil, min_pixels: Int? = nil, max_pixels: Int? = nil, chat_template_digest: String? = nil
    ) {
      (self.base_digest, self.chat_template_digest) = (base_digest, chat_template_digest)
      (self.min_pixels, self.max_pixels) = (min_pixels, max_pixels)
    }

    static let file = "conditions.json"
  }

  /// An adapter's files that cannot be used, and why.
  package struct FileError: Error, Equatable, CustomStringConvertible {
    package let file: String
    package let problem: String
    package var description: String { "\(file): \(problem)" }
  }

  private static func decode<T: Decodable>(_ type: T.Type, _ path: String) throws -> T {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else {
      throw FileError(file: path, problem: "cannot be read; give a folder of imagelora export or of PEFT")
    }
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      throw FileError(file: path, problem: "not an adapter's configuration: \(reason(of: error, in: data))")
    }
  }

  /// What a folder's adapter must be used with; nothing where it does not say.
  /// - Throws: `FileError` or `HuggingFaceError`.
  package static func conditions(_ folder: String) throws -> Conditions {
    guard try PEFTConfiguration.isPresent(in: folder) else {
      return try decode(Conditions.self, folder + "/adapter_config.json")
    }
    let path = folder + "/" + Conditions.file
    return FileManager.default.fileExists(atPath: path) ? try decode(Conditions.self, path) : Conditions()
  }

  /// Reads an adapter for a model of the stated shape: what `export` wrote, or a LoRA of PEFT.
  /// - Throws: `FileError` or `HuggingFaceError`.
  package static func load(_ folder: String, base text: TextConfiguration) throws -> any Adapter<Float> {
    try PEFTConfiguration.isPresent(in: folder)
      ? try PEFTFiles.load(folder, base: text) : try imageLoRA(folder, base: text)
  }

  private static func imageLoRA(_ folder: String, base text: TextConfiguration) throws -> ImageLoRA<Float> {
    let config = try decode(Config.self, folder + "/adapter_config.json")
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
    adapter.load(try adapter.layout.tensors.flatMap { try finite(file, $0.name, shape: $0.shape) })
    guard file.unclaimed.isEmpty else {
      throw FileError(
        file: folder + "/adapter.safetensors",
        problem: "tensor \(file.unclaimed[0]) belongs to no layer of kv_indices in adapter_config.json")
    }
    return adapter
  }

  /// The rank-1 probe's projections `[L][H]` beside an adapter, nil where there are none.
  package static func probe(_ folder: String, base text: TextConfiguration) throws -> [[Float]]? {
    let path = folder + "/probe.safetensors"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try Checkpoint(file: path)
    return try (0..<text.layers).map { try finite(file, "layers.\($0).A", shape: [text.hiddenSize]) }
  }

  /// A tensor's numbers.
  /// - Throws: `FileError` where one is not finite, or `HuggingFaceError`.
  static func finite(_ file: Checkpoint, _ name: String, shape: [Int]) throws -> [Float] {
    let values: [Float] = try file.tensor(name, shape: shape).values()
    guard values.allSatisfy(\.isFinite) else {
      throw FileError(file: file.source, problem: "tensor \(name) holds a number that is not finite")
    }
    return values
  }
}
