// A LoRA as PEFT writes and reads it: adapter_model.safetensors and adapter_config.json.
import Adapters
import Files
import Foundation
import HuggingFace
import QwenVL
import Tensors

/// Folders of PEFT's LoRA.
enum PEFTFolder {
  static let tensorFile = "adapter_model.safetensors"
  /// The prefix of the decoder's layers in current transformers, and in older releases and text-only models.
  private static let prefixes = ["model.language_model.layers", "model.layers"]

  /// `base_model.model.model.language_model.layers.{l}.self_attn.{projection}.lora_{A,B}.weight`
  static func name(layer: Int, _ projection: Projection, part: String) -> String {
    "base_model.model.\(prefixes[0]).\(layer).self_attn.\(projection.rawValue).lora_\(part).weight"
  }

  /// A tensor's place in an adapter, nil for a tensor of anything but an attention projection of the decoder.
  private static func parse(_ name: String) -> (layer: Int, projection: Projection, part: String)? {
    for prefix in prefixes {
      let start = "base_model.model.\(prefix)."
      guard name.hasPrefix(start) else { continue }
      let parts = name.dropFirst(start.count).split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 5, let layer = Int(parts[0]), layer >= 0, "\(layer)" == parts[0], parts[1] == "self_attn",
        let projection = Projection(rawValue: String(parts[2])), parts[4] == "weight",
        let part = ["lora_A": "A", "lora_B": "B"][parts[3]]
      else { return nil }
      return (layer, projection, part)
    }
    return nil
  }

  /// The projection that a base's tensor is the weight of.
  static func adaptedWeight(_ name: String) -> (layer: Int, projection: Projection)? {
    guard name.hasSuffix(".weight"), let place = parse("base_model.model.\(name.dropLast(7)).lora_A.weight") else {
      return nil
    }
    return (place.layer, place.projection)
  }

  // MARK: - Reading

  /// Reads the adapter of a folder for a model of the stated shape.
  /// - Throws: `HuggingFaceError`, or `FileError` for tensors that are not those which the configuration
  ///   names.
  static func load(_ folder: String, base text: TextConfiguration) throws -> LoRA<Float> {
    let config = try PEFTConfiguration(folder: folder)
    let path = folder + "/" + tensorFile
    func refuse(_ problem: String) -> FileError { FileError(path, problem) }
    let file = try Checkpoint(file: path)
    var names: [String: String] = [:]
    var targets: [Int: Set<Projection>] = [:]
    for name in file.names {
      guard let (layer, projection, part) = parse(name) else {
        throw refuse(
          "tensor \(name) is no LoRA of a decoder layer's q_proj, k_proj, v_proj or o_proj; only these are supported")
      }
      guard layer < text.layers else {
        throw refuse("tensor \(name): the model has \(text.layers) layers; give the base that it was trained on")
      }
      targets[layer, default: []].insert(projection)
      guard names.updateValue(name, forKey: "\(LoRAConfiguration.name(layer, projection)).\(part)") == nil else {
        throw refuse("tensor \(name) is there under another name too; keep one of them")
      }
    }
    for layer in 0..<text.layers {
      for projection in Projection.allCases {
        let module = prefixes.map { "\($0).\(layer).self_attn.\(projection.rawValue)" }
        let isThere = targets[layer]?.contains(projection) ?? false
        guard let expected = config.adapts(layer: layer, module: module), expected != isThere else { continue }
        throw refuse(
          "layer \(layer) has \(isThere ? "a" : "no") LoRA of \(projection.rawValue), contrary to target_modules in "
            + "adapter_config.json; use the files of one adapter")
      }
    }
    guard !targets.isEmpty else { throw refuse("no tensor; nothing is adapted") }
    let adapter = LoRA<Float>(
      LoRAConfiguration(rank: config.rank, alpha: config.alpha, targets: targets.mapValues(Array.init)), text: text)
    let values = try adapter.layout.tensors.flatMap { tensor -> [Float] in
      guard let name = names[tensor.name] else {
        throw refuse("\(tensor.name): one of lora_A and lora_B is missing; the file is incomplete")
      }
      return try AdapterFolder.finite(file, name, shape: tensor.shape)
    }
    adapter.load(values)
    return adapter
  }

  // MARK: - Writing

  /// adapter_config.json, the keys of PEFT's `LoraConfig`.
  private struct Config: Encodable {
    var alpha_pattern: [String: Double] = [:]
    var base_model_name_or_path: String?
    var bias = "none"
    var fan_in_fan_out = false
    var inference_mode = true
    var init_lora_weights = true
    var layers_to_transform: [Int]?
    var lora_alpha: Double
    var lora_dropout = 0.0
    var modules_to_save: [String]?
    var peft_type = "LORA"
    var r: Int
    var rank_pattern: [String: Int] = [:]
    var target_modules: [String]
    var task_type = "CAUSAL_LM"
    var use_dora = false
    var use_rslora = false
  }

  /// - Parameter baseName: the value of `base_model_name_or_path`.
  /// - Precondition: all adapted layers have the same targets.
  static func config(_ options: LoRAConfiguration, baseName: String?) throws -> Data {
    let layers = options.targets.keys.sorted()
    let targets = options.targets.values.first ?? []
    precondition(options.targets.values.allSatisfy { $0 == targets }, "one list of target_modules for all layers")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return try encoder.encode(
      Config(
        base_model_name_or_path: baseName, layers_to_transform: layers == Array(0..<layers.count) ? nil : layers,
        lora_alpha: options.alpha, r: options.rank, target_modules: targets.map(\.rawValue))) + Data("\n".utf8)
  }

  /// The name of a layout's tensor in PEFT's file.
  static func name(_ tensor: AdapterLayout.Tensor) -> String {
    guard let (layer, projection, part) = LoRAConfiguration.parse(tensor.name) else {
      preconditionFailure("\(tensor.name) is no tensor of a LoRA")
    }
    return name(layer: layer, projection, part: part)
  }
}
