// Folders of adapters, ours and PEFT's, and selections of heads.
import Artifacts
import Files
import HuggingFace

extension FuzzTarget {
  private static let own = ["adapter_config.json", "adapter.safetensors", "probe.safetensors"]
  private static let peft = ["adapter_config.json", "adapter_model.safetensors", "conditions.json"]

  static let adapters: [FuzzTarget] = [
    FuzzTarget(
      name: "adapter", dictionary: "adapter",
      format: .files([own[0]: .json, own[1]: .safetensors, own[2]: .safetensors]),
      seeds: {
        try Fixture.parity.map { folder in
          FilesInput(try own.map { ($0, try Fixture.bytes("\(folder)/adapter/\($0)")) }).bytes
        }
      },
      read: { try use($0, names: own) }),
    FuzzTarget(
      name: "peft", dictionary: "adapter",
      format: .files([peft[0]: .json, peft[1]: .safetensors, peft[2]: .json]),
      seeds: {
        let conditions = Array(#"{"base_digest": "b", "min_pixels": 784, "coordinates": "pixels"}"#.utf8)
        return try ["peft-a", "peft-b"].flatMap { folder in
          let files = try peft.prefix(2).map {
            ($0, try Fixture.bytes("ParityTests/Resources/\(folder)/adapter/\($0)"))
          }
          return [FilesInput(files).bytes, FilesInput(files + [(peft[2], conditions)]).bytes]
        }
      },
      read: { try use($0, names: peft) }),
    FuzzTarget(
      name: "peft-config", dictionary: "adapter", format: .json,
      seeds: {
        let patterns = [
          #"{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ".*\\.layers\\.(0|[12]\\d?)\\..*(q|v)_proj"}"#,
          #"""
          {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "layers_pattern": "lay(?:er)s",
           "layers_to_transform": [0, 1], "exclude_modules": "(?=.*visual)(?!x).{2,40}(?<=proj)$"}
          """#,
        ]
        return try ["peft-a", "peft-qwen3"].map { try Fixture.bytes("ParityTests/Resources/\($0)/adapter/\(peft[0])") }
          + patterns.map { Array($0.utf8) }
      },
      read: { bytes in
        WorkFolder.write(peft[0], bytes)
        let configuration = try PEFTConfiguration(folder: WorkFolder.path)
        var effort = PEFTEffort()
        for name in [
          "model.language_model.layers.1.self_attn.q_proj", "model.layers.12.self_attn.v_proj",
          "visual.blocks.0.attn.qkv",
        ] { _ = Refusal.allowing { try configuration.modules.adapts(name, &effort) } }
      }),
    FuzzTarget(
      name: "selection", dictionary: "adapter", format: .json,
      seeds: {
        let stated = #"""
          {"method": "influence/rank1", "num_heads": 3, "tau": 0.5, "kv_indices": {"0": [1, 2], "3": [0]},
           "layer_budgets_kv": {"0": 2}, "hkv": {"0": 4, "1": 4, "2": 4, "3": 4},
           "scores": {"0": [0, 2, 3, 0], "1": [0, 0, 0, 0], "2": [0, 0, 0, 0], "3": [9, 0.5, 0, 0]}}
          """#
        return [Array(stated.utf8), Array(#"{"kv_indices": {"0": [0]}}"#.utf8)]
      },
      read: { bytes in
        let path = WorkFolder.write("heads.json", bytes)
        let text = try Fixture.base.get().configuration.text
        let own = Refusal.allowing {
          try HeadSelection(json: String(decoding: bytes, as: UTF8.self), file: "heads.json")
        }
        _ = try own?.json()
        let selection = try HeadSelection(reading: path, of: text)
        try selection.write(to: path)
        let again = try HeadSelection(reading: path, of: text)
        require(again.adapted == selection.adapted, "a selection is read back as another one")
      }),
  ]

  /// An adapter's folder, for a model that fits and for one of a real model's size: what a folder states of sizes costs
  /// no memory before its tensors have them.
  private static func use(_ bytes: [UInt8], names: [String]) throws {
    WorkFolder.replace(FilesInput(bytes, names: names).files)
    let text = try Fixture.base.get().configuration.text
    _ = Refusal.allowing { try AdapterFolder.provenance(WorkFolder.path) }
    _ = Refusal.allowing { try AdapterFolder.inventory(WorkFolder.path) }
    _ = Refusal.allowing { try AdapterFolder.probe(WorkFolder.path, base: text, heads: .attention) }
    _ = Refusal.allowing { try AdapterFolder.load(WorkFolder.path, base: text) }
    var large = text
    (large.layers, large.hiddenSize, large.headDimension, large.attentionHeads, large.kvHeads) = (64, 8192, 128, 64, 8)
    _ = try AdapterFolder.load(WorkFolder.path, base: large)
  }
}
