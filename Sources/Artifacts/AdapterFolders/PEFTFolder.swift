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

  /// How a release of transformers names the model's modules.
  private struct Naming {
    let layers, vision, embedding: String
  }

  /// The names of current transformers, and of older releases and text-only models.
  private static let namings = [
    Naming(
      layers: "model.language_model.layers", vision: "model.visual", embedding: "model.language_model.embed_tokens"),
    Naming(layers: "model.layers", vision: "visual", embedding: "model.embed_tokens"),
  ]

  /// A tensor's place in an adapter.
  private struct Place {
    let naming: Int
    let layer: Int
    let projection: Projection
    let part: String
  }

  /// `base_model.model.model.language_model.layers.{l}.self_attn.{projection}.lora_{A,B}.weight`
  static func name(layer: Int, _ projection: Projection, part: String) -> String {
    "base_model.model.\(namings[0].layers).\(layer).self_attn.\(projection.rawValue).lora_\(part).weight"
  }

  /// A tensor's place in an adapter, nil for a tensor of anything but an attention projection of the decoder.
  private static func parse(_ name: String) -> Place? {
    // In ASCII, equal texts have equal bytes.
    guard name.utf8.allSatisfy({ $0 < 128 }) else { return nil }
    for (index, naming) in namings.enumerated() {
      let start = "base_model.model.\(naming.layers)."
      guard name.hasPrefix(start) else { continue }
      let parts = name.dropFirst(start.count).split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 5, let layer = Int(parts[0]), layer >= 0, "\(layer)" == parts[0], parts[1] == "self_attn",
        let projection = Projection(rawValue: String(parts[2])), parts[4] == "weight",
        let part = ["lora_A": "A", "lora_B": "B"][parts[3]]
      else { return nil }
      return Place(naming: index, layer: layer, projection: projection, part: part)
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
    let conditions = try AdapterFolder.conditions(folder)
    let config = try PEFTConfiguration(folder: folder)
    let file = try tensors(folder, conditions)
    let (names, targets, naming) = try places(file, layers: text.layers)
    try compare(targets, config.modules, naming: naming, layers: text.layers, file: file.source)
    let options = LoRAConfiguration(rank: config.rank, alpha: config.alpha, targets: targets.mapValues(Array.init))
    // Before memory is taken for an adapter: its sizes are believed once the file has tensors of them.
    let values = try AdapterConfiguration.lora(options).layout(text).tensors.flatMap { tensor -> [Float] in
      guard let name = names[tensor.name] else {
        throw FileError(
          file.source, "\(tensor.name): one of lora_A and lora_B is missing; the file is incomplete")
      }
      return try AdapterFolder.finite(file, name, shape: tensor.shape)
    }
    let adapter = LoRA<Float>(options, text: text)
    adapter.load(values)
    return adapter
  }

  private static func tensors(_ folder: String, _ conditions: AdapterDocument?) throws -> Checkpoint {
    let path = folder + "/" + tensorFile
    let pickle = folder + "/adapter_model.bin"
    guard FileManager.default.fileExists(atPath: path) || !FileManager.default.fileExists(atPath: pickle) else {
      throw FileError(
        pickle, "is a pickle of PyTorch, which is not read",
        remedy: "load it with PEFT and save it again (save_pretrained), which writes \(tensorFile)")
    }
    return try Checkpoint(file: path, check: conditions?.tensorsCheck(of: path))
  }

  /// Names of a file's tensors by those of an adapter's layout, the projections that they are of, and whose names they
  /// have.
  private static func places(
    _ file: Checkpoint, layers: Int
  ) throws -> (names: [String: String], targets: [Int: Set<Projection>], naming: Naming) {
    func refuse(_ problem: String) -> FileError { FileError(file.source, problem) }
    var names: [String: String] = [:]
    var targets: [Int: Set<Projection>] = [:]
    var naming: Int?
    for name in file.names {
      guard let place = parse(name) else {
        throw refuse(
          "tensor \(name) is no LoRA of a decoder layer's q_proj, k_proj, v_proj or o_proj; only these are supported")
      }
      guard naming == nil || naming == place.naming else {
        throw refuse(
          "tensor \(name): other tensors have names of another release of transformers; use the files of one adapter")
      }
      naming = place.naming
      guard place.layer < layers else {
        throw refuse("tensor \(name): the model has \(layers) layers; give the base that it was trained on")
      }
      targets[place.layer, default: []].insert(place.projection)
      names["\(LoRAConfiguration.name(place.layer, place.projection)).\(place.part)"] = name
    }
    guard let naming else { throw refuse("no tensor; nothing is adapted") }
    return (names, targets, namings[naming])
  }

  /// Refuses tensors that are not those of the modules which the configuration names. PEFT leaves a module without
  /// tensors as it was initialized, with a warning, and tensors without a module out, without one.
  private static func compare(
    _ targets: [Int: Set<Projection>], _ modules: PEFTModules, naming: Naming, layers: Int, file: String
  ) throws {
    let config = "target_modules (exclude_modules, layers_to_transform) in adapter_config.json"
    var missing: [String] = []
    var effort = PEFTEffort()
    for layer in 0..<layers {
      for projection in Projection.allCases {
        let isThere = targets[layer]?.contains(projection) ?? false
        let name = "\(naming.layers).\(layer).self_attn.\(projection.rawValue)"
        guard try modules.adapts(name, &effort) != isThere else { continue }
        guard !isThere else {
          throw FileError(
            file, "layer \(layer) has a LoRA of \(projection.rawValue), contrary to \(config)",
            remedy: "use the files of one adapter")
        }
        missing.append("layer \(layer) has no LoRA of \(projection.rawValue)")
      }
    }
    if let first = missing.first {
      let more = missing.count > 1 ? " (\(missing.count) are missing)" : ""
      throw FileError(
        file, "\(first)\(more), contrary to \(config)",
        remedy: "use the complete file of that adapter, or name in layers_to_transform the layers that it has")
    }
    for name in otherModules(naming, layers: layers) where try modules.adapts(name, &effort) {
      throw FileError(
        file, "has no LoRA of \(name), which \(config) also names",
        remedy: "use an adapter of q_proj, k_proj, v_proj and o_proj of the decoder alone")
    }
  }

  /// Modules beside the decoder's attention of which PEFT can make a LoRA.
  private static func otherModules(_ naming: Naming, layers: Int) -> [String] {
    let mlp = (0..<layers).flatMap { layer in
      ["gate_proj", "up_proj", "down_proj"].map { "\(naming.layers).\(layer).mlp.\($0)" }
    }
    let vision = [
      "patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.attn.proj", "blocks.0.mlp.gate_proj", "blocks.0.mlp.up_proj",
      "blocks.0.mlp.down_proj", "blocks.0.mlp.linear_fc1", "blocks.0.mlp.linear_fc2", "merger.mlp.0", "merger.mlp.2",
      "merger.linear_fc1", "merger.linear_fc2", "deepstack_merger_list.0.linear_fc1",
      "deepstack_merger_list.0.linear_fc2",
    ]
    return mlp + vision.map { "\(naming.vision).\($0)" } + [naming.embedding, "lm_head"]
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
