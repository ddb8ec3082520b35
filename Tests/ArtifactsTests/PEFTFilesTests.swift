import Adapters
import Files
import Foundation
import HuggingFace
import Preprocessing
import QwenVL
import TestSupport
import Testing
import TinyModels

@testable import Artifacts

@Suite("LoRA folders as PEFT has them")
struct PEFTFilesTests {
  let folder: TemporaryFolder
  let text = TextConfiguration.tiny
  let options = LoRAConfiguration(
    rank: 2, alpha: 6, targets: [0: [.value, .query], 1: [.query, .value], 2: [.query, .value]])
  var configuration: AdapterConfiguration { .lora(options) }
  var parameters: [Float] { (0..<configuration.layout(text).count).map { Float($0) * 0.25 - 9 } }
  init() throws { folder = try TemporaryFolder() }

  private func exported() throws -> String {
    let path = folder.path("adapter")
    try AdapterFolder.export(
      configuration, provenance: .init(baseDigest: "abc"), layout: configuration.layout(text), parameters: parameters,
      card: "# A card\n", base: ModelName(name: "base"), to: path)
    // As PEFT's own files, which carry no digests and may be changed.
    let conditions = URL(filePath: path + "/conditions.json")
    var keys = try JSONSerialization.jsonObject(with: Data(contentsOf: conditions)) as? [String: Any] ?? [:]
    for key in ["config_digest", "digest", "tensors_sha256"] { #expect(keys.removeValue(forKey: key) != nil) }
    try JSONSerialization.data(withJSONObject: keys).write(to: conditions)
    return path
  }

  /// Changes keys of adapter_config.json; nil takes one out.
  private func change(_ path: String, _ changes: [String: Any?]) throws {
    let file = URL(filePath: path + "/adapter_config.json")
    var keys = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
    for (key, value) in changes { keys[key] = value }
    try JSONSerialization.data(withJSONObject: keys).write(to: file)
  }

  /// Writes tensors again, names changed by `rename`; nil leaves one out.
  private func rewrite(
    _ path: String, adding: [SafetensorsWriter.Tensor] = [], _ rename: (String) -> String? = { $0 }
  ) throws {
    let layout = configuration.layout(text)
    let tensors = layout.tensors.compactMap { tensor in
      rename(PEFTFolder.name(tensor)).map {
        SafetensorsWriter.Tensor(name: $0, shape: tensor.shape, values: Array(parameters[tensor.range]))
      }
    }
    try SafetensorsWriter.encode(tensors + adding).write(to: URL(filePath: path + "/adapter_model.safetensors"))
  }

  @Test func readBack() throws {
    let path = try exported()
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        == ["README.md", "adapter_config.json", "adapter_model.safetensors", "conditions.json"])
    let adapter = try AdapterFolder.load(path, base: text)
    #expect(adapter.configuration == configuration && adapter.parameters.values == parameters)
    #expect(
      try AdapterFolder.provenance(path)
        == AdapterProvenance(baseDigest: "abc", reading: ImageReading(transparency: .drop)))
    let file = try Checkpoint(file: path + "/adapter_model.safetensors")
    #expect(file.names.count == 12)
    #expect(
      file.shape(of: "base_model.model.model.language_model.layers.1.self_attn.v_proj.lora_B.weight") == [8, 2])
    #expect(
      file.shape(of: "base_model.model.model.language_model.layers.2.self_attn.q_proj.lora_B.weight") == [16, 2])
  }

  /// Short names where they name what is adapted and nothing else; those of an MLP may be a tower's too.
  @Test func writtenNames() throws {
    var hybrid = text
    hybrid.layerTypes = [.linearAttention, .fullAttention, .linearAttention]
    func names(_ options: LoRAConfiguration) throws -> [String] {
      let path = folder.path("named")
      let configuration = AdapterConfiguration.lora(options)
      let layout = configuration.layout(hybrid)
      try AdapterFolder.export(
        configuration, provenance: .init(baseDigest: "abc"), layout: layout,
        parameters: (0..<layout.count).map(Float.init), card: "# A card\n", base: ModelName(name: "base"), to: path)
      #expect(try AdapterFolder.load(path, base: hybrid).configuration == configuration)
      let file = try Data(contentsOf: URL(filePath: path + "/adapter_config.json"))
      try FileManager.default.removeItem(atPath: path)
      let keys = try JSONSerialization.jsonObject(with: file) as? [String: Any]
      return keys?["target_modules"] as? [String] ?? []
    }
    let mixers = LoRAConfiguration(rank: 2, alpha: 4, everywhere: [.query, .linearInput, .linearOutput], hybrid)
    #expect(try names(mixers) == ["q_proj", "in_proj_qkv", "out_proj"])
    let mlps = LoRAConfiguration(rank: 2, alpha: 4, everywhere: [.down], hybrid)
    #expect(try names(mlps) == (0..<3).map { "model.language_model.layers.\($0).mlp.down_proj" })
    let uneven = LoRAConfiguration(rank: 2, alpha: 4, targets: [0: [.linearGate], 2: [.linearGate, .linearDecay]])
    #expect(
      try names(uneven)
        == ["0.linear_attn.in_proj_z", "2.linear_attn.in_proj_z", "2.linear_attn.in_proj_a"].map {
          "model.language_model.layers.\($0)"
        })
  }

  @Test func olderNames() throws {
    let path = try exported()
    try rewrite(path) { $0.replacing("language_model.", with: "") }
    #expect(try AdapterFolder.load(path, base: text).parameters.values == parameters)
  }

  @Test func waysToNameTheSame() throws {
    for targets: Any in [
      ".*language_model.*\\.(q_proj|v_proj)", ["v_proj", "self_attn.q_proj"],
      (0..<3).flatMap { layer in
        ["q_proj", "v_proj"].map { "model.language_model.layers.\(layer).self_attn.\($0)" }
      },
    ] {
      let path = try exported()
      try change(path, ["target_modules": targets])
      #expect(try AdapterFolder.load(path, base: text).parameters.values == parameters)
      try FileManager.default.removeItem(atPath: path)
    }
  }

  /// Ranks and alphas of single modules and modules of the tower go out and come back, under names that PEFT matches.
  @Test(arguments: ModelConfiguration.Family.allCases) func patternsAndTower(family: ModelConfiguration.Family) throws {
    let files = try TinyModel(family)
    let model = try ModelConfiguration(folder: files.folder)
    let layer = try #require(model.text.attentionLayers.first)
    var options = LoRAConfiguration(
      rank: 2, alpha: 6, targets: [layer: [.query, .down]], tower: model.vision.modules)
    options.set(.decoder(layer: layer, .down), rank: 4, alpha: 6)
    options.set(.tower(model.vision.modules[1]), rank: 1, alpha: 3)
    let configuration = AdapterConfiguration.lora(options)
    let layout = configuration.layout(model.text, model.vision)
    #expect(
      configuration.fits(model.text, model.vision, layout: layout) && !configuration.fits(model.text, layout: layout))
    let values = (0..<layout.count).map { Float($0) * 0.25 - 9 }
    let path = folder.path("tower-\(family)")
    try AdapterFolder.export(
      configuration, provenance: .init(baseDigest: "abc"), layout: layout, parameters: values, card: "",
      base: ModelName(name: "base"),
      to: path)
    let read = try AdapterFolder.load(path, base: model.text, model.vision)
    #expect(read.configuration == configuration && read.parameters.values == values)
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path + "/adapter_config.json")))
    let keys = try #require(json as? [String: Any])
    #expect(
      (keys["rank_pattern"] as? [String: Int])?.count == 2 && (keys["alpha_pattern"] as? [String: Double])?.count == 1)
    #expect((keys["rank_pattern"] as? [String: Int])?["model.\(model.vision.modules[1].name)"] == 1)
  }

  /// With `use_rslora` the factor is alpha / sqrt(r).
  @Test func rankStabilised() throws {
    let path = try exported()
    try change(path, ["use_rslora": true])
    let found = try AdapterFolder.load(path, base: text).configuration
    #expect(abs(found.alpha / 2 - 6 / 2.0.squareRoot()) < 1e-12)
  }

  @Test(
    arguments: [
      ("use_dora", "true"), ("bias", "\"all\""), ("bias", "\"lora_only\""), ("modules_to_save", "[\"lm_head\"]"),
      ("rank_pattern", "{\"q_proj\": 0}"), ("alpha_pattern", "{\"q_proj\": null}"), ("fan_in_fan_out", "true"),
      ("lora_bias", "true"), ("layer_replication", "[[0, 1]]"), ("init_lora_weights", "\"pissa\""),
      ("target_parameters", "[\"x\"]"), ("trainable_token_indices", "[1]"), ("use_qalora", "true"),
      ("peft_type", "\"LOHA\""), ("target_modules", "[\"q_proj\", \"gate_proj\"]"),
      ("target_modules", "\"all-linear\""),
      ("target_modules", "[]"), ("target_modules", "[7]"), ("target_modules", "null"), ("r", "0"), ("r", "\"2\""),
      ("lora_alpha", "null"), ("alora_invocation_tokens", "[5]"),
    ])
  func unsupportedIsRefusedByName(key: String, value: String) throws {
    let path = try exported()
    let parsed = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
    try change(path, [key: parsed])
    let said = line { _ = try AdapterFolder.load(path, base: text) }
    #expect(said.contains(key) && said.contains("adapter_config.json") && !said.contains("\n"), "\(said)")
  }

  @Test func tensorsAreRefused() throws {
    let path = try exported()
    func said(adding: [SafetensorsWriter.Tensor] = [], _ rename: (String) -> String? = { $0 }) throws -> String {
      try rewrite(path, adding: adding, rename)
      return line { _ = try AdapterFolder.load(path, base: text) }
    }
    let prefix = "base_model.model.model.language_model.layers"
    func tensor(_ name: String) -> SafetensorsWriter.Tensor { .init(name: name, shape: [1], values: [0]) }
    for name in [
      "\(prefix).0.mlp.experts.lora_A.weight", "\(prefix).0.self_attn.up_proj.lora_A.weight",
      "base_model.model.model.visual.blocks.0.attn.kqv.lora_A.weight",
      "base_model.model.model.visual.patch_embed.proj.lora_A.weight",
      "\(prefix).0.self_attn.q_proj.lora_magnitude_vector", "\(prefix).00.self_attn.q_proj.lora_A.weight", "x",
    ] {
      #expect(try said(adding: [tensor(name)]).contains("tensor \(name) is no LoRA"))
    }
    #expect(
      try said(adding: [tensor("base_model.model.model.visual.blocks.0.attn.qkv.lora_A.weight")])
        .contains("the model has no visual.blocks.0.attn.qkv"))
    #expect(try said(adding: [tensor("\(prefix).3.self_attn.q_proj.lora_A.weight")]).contains("the model has 3 layers"))
    #expect(
      try said(adding: [tensor("\(prefix).0.linear_attn.out_proj.lora_A.weight")])
        .contains("layer 0 of the model has no out_proj"))
    for layer in [0, 1] {
      #expect(
        try said(adding: [tensor("base_model.model.model.layers.\(layer).self_attn.q_proj.lora_A.weight")])
          .contains("names of another release of transformers"))
    }
    #expect(try said { $0.contains(".1.self_attn.q_proj.lora_B") ? nil : $0 }.contains("layers.1.q_proj.B"))
    #expect(
      try said { $0.contains(".1.self_attn.q_proj") ? nil : $0 }.contains("layer 1 has no LoRA of q_proj"))
    #expect(
      try said { $0.replacing("0.self_attn.v_proj", with: "0.self_attn.o_proj") }.contains("layer 0 has"))
    try change(path, ["r": 3])
    #expect(try said().contains("expected shape [3, 8], found [2, 8]"))
    try change(path, ["r": 2, "layers_to_transform": [0, 1]])
    #expect(try said().contains("layer 2 has a LoRA of q_proj, contrary to target_modules"))
  }

  /// PEFT reads them with a warning and leaves these modules as they were initialized.
  @Test func missingTensorsAreNamed() throws {
    let path = try exported()
    for targets: Any in [["q_proj", "v_proj"], ".*\\.(q_proj|v_proj)"] {
      try change(path, ["target_modules": targets])
      try rewrite(path) { $0.contains(".layers.1.") ? nil : $0 }
      let said = line { _ = try AdapterFolder.load(path, base: text) }
      #expect(said.contains("layer 1 has no LoRA of q_proj (2 are missing)") && said.contains("layers_to_transform"))
    }
    try change(path, ["target_modules": ["q_proj", "v_proj"], "layers_to_transform": [0, 2]])
    #expect(try AdapterFolder.load(path, base: text).configuration.layers == [0, 2])
    try change(path, ["layers_to_transform": nil, "exclude_modules": ".*layers\\.1\\..*"])
    #expect(try AdapterFolder.load(path, base: text).configuration.layers == [0, 2])
  }

  /// Names are matched as the release of transformers had them that the adapter was made with.
  @Test func patternsOfOlderNames() throws {
    let path = try exported()
    try change(path, ["target_modules": "^model\\.layers\\.\\d+\\.self_attn\\.[qv]_proj$"])
    #expect(line { _ = try AdapterFolder.load(path, base: text) }.contains("layer 0 has a LoRA of q_proj, contrary"))
    try rewrite(path) { $0.replacing("language_model.", with: "") }
    #expect(try AdapterFolder.load(path, base: text).parameters.values == parameters)
  }

  @Test(
    arguments: [
      (".*(q_proj|v_proj|up_proj)", "layer 0 has no LoRA of up_proj (5 are missing)"),
      (".*(q_proj|v_proj|qkv)", "visual.blocks.0.attn.qkv (2 are missing)"),
      ("(?!.*merger).*(v_proj|q_proj|proj)", "k_proj"),
      (".*(q_proj|v_proj)|.*patch_embed.proj", "model.visual.patch_embed.proj"),
      (".*[qv]_proj|lm_head", "lm_head"), ("(?!.*(k|o)_proj).*layers.*", "gate_proj"),
    ])
  func patternsOfOtherModules(pattern: String, module: String) throws {
    let path = try exported()
    try change(path, ["target_modules": pattern])
    let files = try TinyModel()
    let tower = try ModelConfiguration(folder: files.folder).vision
    let said = line { _ = try AdapterFolder.load(path, base: text, tower) }
    #expect(said.contains("has no LoRA of ") && said.contains(module), "\(said)")
  }

  /// Letters that are equal to Swift's String but are other bytes make another name.
  @Test func namesAreBytes() throws {
    let path = try exported()
    try rewrite(path) { $0.replacing(".0.self_attn.q_proj.lora_A", with: ".0.self_attn.q_proj.lora_A\u{301}") }
    #expect(line { _ = try AdapterFolder.load(path, base: text) }.contains("is no LoRA"))
  }

  @Test func pickles() throws {
    let path = try exported()
    let file = URL(filePath: path + "/adapter_model.safetensors")
    try Data([1]).write(to: URL(filePath: path + "/adapter_model.bin"))
    #expect(try AdapterFolder.load(path, base: text).parameters.values == parameters)
    try FileManager.default.removeItem(at: file)
    let said = line { _ = try AdapterFolder.load(path, base: text) }
    #expect(said.contains("adapter_model.bin: is a pickle") && said.contains("save_pretrained"))
    try FileManager.default.removeItem(atPath: path + "/adapter_model.bin")
    #expect(line { _ = try AdapterFolder.load(path, base: text) }.contains("adapter_model.safetensors"))
  }
}
