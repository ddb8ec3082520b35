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

  /// `model.language_model.layers.{l}.{module}.{projection}`
  private static func module(_ naming: Naming, _ layer: Int, _ projection: Projection) -> String {
    "\(naming.layers).\(layer).\(projection.module).\(projection.rawValue)"
  }

  /// A tensor's place in an adapter, nil for a tensor of anything but a projection of a decoder layer.
  private static func parse(_ name: String) -> Place? {
    // In ASCII, equal texts have equal bytes.
    guard name.utf8.allSatisfy({ $0 < 128 }) else { return nil }
    for (index, naming) in namings.enumerated() {
      let start = "base_model.model.\(naming.layers)."
      guard name.hasPrefix(start) else { continue }
      let parts = name.dropFirst(start.count).split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 5, let layer = Int(parts[0]), layer >= 0, "\(layer)" == parts[0],
        let projection = Projection(rawValue: String(parts[2])), parts[1] == projection.module, parts[4] == "weight",
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
  static func load(
    _ folder: String, base text: TextConfiguration, family: ModelConfiguration.Family?
  ) throws -> LoRA<Float> {
    let conditions = try AdapterFolder.conditions(folder)
    let config = try PEFTConfiguration(folder: folder)
    let file = try tensors(folder, conditions)
    let (names, targets, naming) = try places(file, text)
    try compare(targets, config.modules, naming: naming, text, family, file: file.source)
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
    _ file: Checkpoint, _ text: TextConfiguration
  ) throws -> (names: [String: String], targets: [Int: Set<Projection>], naming: Naming) {
    func refuse(_ problem: String) -> FileError { FileError(file.source, problem) }
    var names: [String: String] = [:]
    var targets: [Int: Set<Projection>] = [:]
    var naming: Int?
    for name in file.names {
      guard let place = parse(name) else {
        throw refuse(
          "tensor \(name) is no LoRA of a decoder layer's projection; only these are supported: \(allNames)")
      }
      guard naming == nil || naming == place.naming else {
        throw refuse(
          "tensor \(name): other tensors have names of another release of transformers; use the files of one adapter")
      }
      naming = place.naming
      guard place.layer < text.layers else {
        throw refuse("tensor \(name): the model has \(text.layers) layers; give the base that it was trained on")
      }
      guard text.projections(of: place.layer).contains(place.projection) else {
        throw refuse(
          "tensor \(name): layer \(place.layer) of the model has no \(place.projection.rawValue); give the base that it "
            + "was trained on")
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
    _ targets: [Int: Set<Projection>], _ modules: PEFTModules, naming: Naming, _ text: TextConfiguration,
    _ family: ModelConfiguration.Family?, file: String
  ) throws {
    let config = "target_modules (exclude_modules, layers_to_transform) in adapter_config.json"
    var missing: [String] = []
    var effort = PEFTEffort()
    for layer in 0..<text.layers {
      for projection in text.projections(of: layer) {
        let isThere = targets[layer]?.contains(projection) ?? false
        guard try modules.adapts(module(naming, layer, projection), &effort) != isThere else { continue }
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
    for name in otherModules(naming, text, family) where try modules.adapts(name, &effort) {
      throw FileError(
        file, "has no LoRA of \(name), which \(config) also names",
        remedy: "use an adapter of the decoder layers' projections alone: \(allNames)")
    }
  }

  private static var allNames: String { Projection.allCases.map(\.rawValue).joined(separator: ", ") }

  /// Modules beside the decoder layers' projections of which PEFT can make a LoRA.
  private static func otherModules(
    _ naming: Naming, _ text: TextConfiguration, _ family: ModelConfiguration.Family?
  ) -> [String] {
    let convolutions = (0..<text.layers).filter(text.isLinear).map { "\(naming.layers).\($0).linear_attn.conv1d" }
    let vision = family.map(towerModules) ?? ModelConfiguration.Family.allCases.flatMap(towerModules)
    return convolutions + vision.map { "\(naming.vision).\($0)" } + [naming.embedding, "lm_head"]
  }

  /// Modules of a tower, the first of each kind.
  private static func towerModules(_ family: ModelConfiguration.Family) -> [String] {
    let merger = (["mlp.0", "mlp.2"], ["linear_fc1", "linear_fc2"])
    let (mlp, merged, deepstack) =
      switch family {
      case .qwen2_vl: (["fc1", "fc2"], merger.0, [])
      case .qwen2_5_vl: (["gate_proj", "up_proj", "down_proj"], merger.0, [])
      case .qwen3_vl: (merger.1, merger.1, merger.1)
      case .qwen3_5: (merger.1, merger.1, [] as [String])
      }
    return ["patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.attn.proj"] + mlp.map { "blocks.0.mlp.\($0)" }
      + merged.map { "merger.\($0)" } + deepstack.map { "deepstack_merger_list.0.\($0)" }
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
  static func config(_ options: LoRAConfiguration, baseName: String?) throws -> Data {
    let layers = options.targets.keys.sorted()
    let names = shortNames(options)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return try encoder.encode(
      Config(
        base_model_name_or_path: baseName,
        layers_to_transform: names == nil || layers == Array(0..<layers.count) ? nil : layers,
        lora_alpha: options.alpha, r: options.rank, target_modules: names ?? fullNames(options))) + Data("\n".utf8)
  }

  /// The projections' names, where they name what is adapted and nothing else: all adapted layers have those of their
  /// kind, and no tower has modules of these names, as some have those of an MLP.
  private static func shortNames(_ options: LoRAConfiguration) -> [String]? {
    let all = options.projections
    let areAlike = options.targets.values.allSatisfy { targets in
      targets == all.filter { Set(targets.map(\.module)).contains($0.module) }
    }
    return areAlike && !all.contains { Projection.mlp.contains($0) } ? all.map(\.rawValue) : nil
  }

  private static func fullNames(_ options: LoRAConfiguration) -> [String] {
    options.targets.sorted { $0.key < $1.key }.flatMap { layer, targets in
      targets.map { module(namings[0], layer, $0) }
    }
  }

  /// The name of a layout's tensor in PEFT's file.
  static func name(_ tensor: AdapterLayout.Tensor) -> String {
    guard let (layer, projection, part) = LoRAConfiguration.parse(tensor.name) else {
      preconditionFailure("\(tensor.name) is no tensor of a LoRA")
    }
    return "base_model.model.\(module(namings[0], layer, projection)).lora_\(part).weight"
  }
}
