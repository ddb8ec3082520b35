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
    let module: AdaptedModule
    let part: String
  }

  private static func name(_ module: AdaptedModule, _ naming: Naming) -> String {
    module.name(layers: naming.layers, vision: naming.vision)
  }

  /// The module that a release of transformers gives a name, nil for a module that no LoRA adapts here.
  private static func module(_ name: Substring, _ naming: Naming) -> AdaptedModule? {
    if name.hasPrefix(naming.vision + ".") {
      return TowerModule("visual" + name.dropFirst(naming.vision.count)).map(AdaptedModule.tower)
    }
    guard name.hasPrefix(naming.layers + ".") else { return nil }
    let parts = name.dropFirst(naming.layers.count + 1).split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let layer = Int(parts[0]), layer >= 0, "\(layer)" == parts[0],
      let projection = Projection(rawValue: String(parts[2])), parts[1] == projection.module
    else { return nil }
    return .decoder(layer: layer, projection)
  }

  private static let start = "base_model.model."

  /// A tensor's place in an adapter, nil for a tensor of anything but a linear module of decoder or vision tower.
  private static func parse(_ name: String) -> Place? {
    // In ASCII, equal texts have equal bytes.
    guard name.utf8.allSatisfy({ $0 < 128 }), name.hasPrefix(start) else { return nil }
    for (end, part) in [(".lora_A.weight", "A"), (".lora_B.weight", "B")] where name.hasSuffix(end) {
      for (index, naming) in namings.enumerated() {
        if let module = module(name.dropFirst(start.count).dropLast(end.count), naming) {
          return Place(naming: index, module: module, part: part)
        }
      }
    }
    return nil
  }

  /// The module that a base's tensor is the weight of.
  static func adaptedWeight(_ name: String) -> AdaptedModule? {
    name.hasSuffix(".weight") ? parse("\(start)\(name.dropLast(7)).lora_A.weight")?.module : nil
  }

  // MARK: - Reading

  /// Reads the adapter of a folder for a model of the stated shape.
  /// - Throws: `HuggingFaceError`, or `FileError` for tensors that are not those which the configuration
  ///   names.
  static func load(
    _ folder: String, base text: TextConfiguration, _ vision: VisionConfiguration?
  ) throws -> LoRA<Float> {
    let conditions = try AdapterFolder.conditions(folder)
    let config = try PEFTConfiguration(folder: folder)
    let file = try tensors(folder, conditions)
    let (names, modules, naming) = try places(file, text, vision)
    try compare(modules, config.modules, naming: naming, text, vision, file: file.source)
    let options = try options(modules, config, naming)
    // Before memory is taken for an adapter: its sizes are believed once the file has tensors of them.
    let values = try AdapterConfiguration.lora(options).layout(text, vision).tensors.flatMap { tensor -> [Float] in
      guard let name = names[tensor.name] else {
        throw FileError(
          file.source, "\(tensor.name): one of lora_A and lora_B is missing; the file is incomplete")
      }
      return try AdapterFolder.finite(file, name, shape: tensor.shape)
    }
    let adapter = LoRA<Float>(options, text: text, vision: vision)
    adapter.load(values)
    return adapter
  }

  /// With the ranks and alphas of the configuration's patterns.
  private static func options(
    _ modules: Set<AdaptedModule>, _ config: PEFTConfiguration, _ naming: Naming
  ) throws -> LoRAConfiguration {
    var targets: [Int: [Projection]] = [:]
    var tower: [TowerModule] = []
    for module in modules {
      switch module {
      case .decoder(let layer, let projection): targets[layer, default: []].append(projection)
      case .tower(let module): tower.append(module)
      }
    }
    var options = LoRAConfiguration(rank: config.rank, alpha: config.alpha, targets: targets, tower: tower)
    var effort = PEFTEffort()
    for module in modules {
      let (rank, alpha) = try config.size(of: name(module, naming), &effort)
      options.set(module, rank: rank, alpha: alpha)
    }
    return options
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

  /// Names of a file's tensors by those of an adapter's layout, the modules that they are of, and whose names.
  private static func places(
    _ file: Checkpoint, _ text: TextConfiguration, _ vision: VisionConfiguration?
  ) throws -> (names: [String: String], modules: Set<AdaptedModule>, naming: Naming) {
    func refuse(_ problem: String) -> FileError { FileError(file.source, problem) }
    let tower = Set((vision?.modules ?? []).map(\.name))
    var names: [String: String] = [:]
    var modules: Set<AdaptedModule> = []
    var naming: Int?
    for name in file.names {
      guard let place = parse(name) else {
        throw refuse(
          "tensor \(name) is no LoRA of a linear module of decoder or vision tower; only these are supported: \(allNames)"
        )
      }
      guard naming == nil || naming == place.naming else {
        throw refuse(
          "tensor \(name): other tensors have names of another release of transformers; use the files of one adapter")
      }
      naming = place.naming
      switch place.module {
      case .decoder(let layer, let projection):
        guard layer < text.layers else {
          throw refuse("tensor \(name): the model has \(text.layers) layers; give the base that it was trained on")
        }
        guard text.projections(of: layer).contains(projection) else {
          throw refuse(
            "tensor \(name): layer \(layer) of the model has no \(projection.rawValue); give the base that it "
              + "was trained on")
        }
      case .tower(let module):
        guard tower.contains(module.name) else {
          throw refuse("tensor \(name): the model has no \(module.name); give the base that it was trained on")
        }
      }
      modules.insert(place.module)
      names["\(place.module.name).\(place.part)"] = name
    }
    guard let naming else { throw refuse("no tensor; nothing is adapted") }
    return (names, modules, namings[naming])
  }

  /// Refuses tensors that are not those of the modules which the configuration names. PEFT leaves a module without
  /// tensors as it was initialized, with a warning, and tensors without a module out, without one.
  private static func compare(
    _ found: Set<AdaptedModule>, _ modules: PEFTModules, naming: Naming, _ text: TextConfiguration,
    _ vision: VisionConfiguration?, file: String
  ) throws {
    let config = "target_modules (exclude_modules, layers_to_transform) in adapter_config.json"
    var missing: [String] = []
    var effort = PEFTEffort()
    let decoder = (0..<text.layers).flatMap { layer in
      text.projections(of: layer).map { AdaptedModule.decoder(layer: layer, $0) }
    }
    for module in decoder + (vision?.modules ?? []).map(AdaptedModule.tower) {
      let isThere = found.contains(module)
      guard try modules.adapts(name(module, naming), &effort) != isThere else { continue }
      let (place, what) = words(module)
      guard !isThere else {
        throw FileError(
          file, "\(place) has a LoRA of \(what), contrary to \(config)", remedy: "use the files of one adapter")
      }
      missing.append("\(place) has no LoRA of \(what)")
    }
    if let first = missing.first {
      let more = missing.count > 1 ? " (\(missing.count) are missing)" : ""
      throw FileError(
        file, "\(first)\(more), contrary to \(config)",
        remedy: "use the complete file of that adapter, or name in layers_to_transform the layers that it has")
    }
    for name in otherModules(naming, text) where try modules.adapts(name, &effort) {
      throw FileError(
        file, "has no LoRA of \(name), which \(config) also names",
        remedy: "use an adapter of linear modules of decoder and vision tower alone")
    }
  }

  private static func words(_ module: AdaptedModule) -> (place: String, what: String) {
    switch module {
    case .decoder(let layer, let projection): ("layer \(layer)", projection.rawValue)
    case .tower(let module): ("the vision tower", module.name)
    }
  }

  private static var allNames: String {
    Projection.allCases.map(\.rawValue).joined(separator: ", ") + ", and visual.{blocks,merger,deepstack_merger_list}"
  }

  /// Modules beside the linear ones of which PEFT can make a LoRA.
  private static func otherModules(_ naming: Naming, _ text: TextConfiguration) -> [String] {
    (0..<text.layers).filter(text.isLinear).map { "\(naming.layers).\($0).linear_attn.conv1d" }
      + ["\(naming.vision).patch_embed.proj", naming.embedding, "lm_head"]
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
    var revision: String?
    var target_modules: [String]
    var task_type = "CAUSAL_LM"
    var use_dora = false
    var use_rslora = false
  }

  /// - Parameter base: `base_model_name_or_path` and `revision`, with which PEFT loads the base.
  static func config(_ options: LoRAConfiguration, base: ModelName?) throws -> Data {
    let layers = options.targets.keys.sorted()
    let names = shortNames(options)
    func named<Value>(_ values: [AdaptedModule: Value]) -> [String: Value] {
      Dictionary(uniqueKeysWithValues: values.map { (name($0.key, namings[0]), $0.value) })
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return try encoder.encode(
      Config(
        alpha_pattern: named(options.alphas), base_model_name_or_path: base?.name,
        layers_to_transform: names == nil || layers == Array(0..<layers.count) ? nil : layers,
        lora_alpha: options.alpha, r: options.rank, rank_pattern: named(options.ranks),
        revision: base?.revision,
        target_modules: names ?? options.modules.map { name($0, namings[0]) })) + Data("\n".utf8)
  }

  /// The projections' names, where they name what is adapted and nothing else: all adapted layers have those of their
  /// kind, and no tower has modules of these names, as some have those of an MLP.
  private static func shortNames(_ options: LoRAConfiguration) -> [String]? {
    let all = options.projections
    let areAlike = options.targets.values.allSatisfy { targets in
      targets == all.filter { Set(targets.map(\.module)).contains($0.module) }
    }
    return areAlike && options.tower.isEmpty && !all.contains { Projection.mlp.contains($0) }
      ? all.map(\.rawValue) : nil
  }

  /// The name of a layout's tensor in PEFT's file.
  static func name(_ tensor: AdapterLayout.Tensor) -> String {
    guard let (module, part) = AdaptedModule.parse(tensor.name) else {
      preconditionFailure("\(tensor.name) is no tensor of a LoRA")
    }
    return "\(start)\(name(module, namings[0])).lora_\(part).weight"
  }
}
