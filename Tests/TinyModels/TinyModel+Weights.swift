// The weights of a tiny model of any family.
import Datasets
import Foundation
import HuggingFace
import RandomNumbers

extension TinyModel {
  /// A safetensors file of normally distributed values.
  /// - Parameter spoiled: what the embeddings of some ASCII characters are instead.
  static func weights(_ family: ModelConfiguration.Family, spoiled: [Character: Float]) throws -> Data {
    var file = Writer()
    let isThird = statesHeads(family)
    let (decoder, vision) = isThird ? ("model.language_model", "model.visual") : ("model", "visual")
    let replaced = spoiled.flatMap { character, value in
      character.utf8.flatMap { byte in (0..<16).map { (16 * Int(byte) + $0, value) } }
    }
    file.add("\(decoder).embed_tokens.weight", [vocabularySize, 16], scale: 1, replacing: replaced)
    file.add("lm_head.weight", [vocabularySize, 16], scale: 1)
    file.add("\(decoder).norm.weight", [16], scale: 0.1)
    // Heads of 8, or of 16 where they are stated.
    let (queries, keys) = isThird ? (32, 16) : (16, 8)
    for layer in 0..<layers(family) {
      let name = "\(decoder).layers.\(layer)."
      for norm in ["input_layernorm", "post_attention_layernorm"] {
        file.add(name + norm + ".weight", [16], scale: 0.1)
      }
      if family == .qwen3_5, layer != 1 {
        addDeltaNet(to: &file, name + "linear_attn.")
      } else {
        // Gates beside the queries.
        for (projection, out) in [("q", family == .qwen3_5 ? 2 * queries : queries), ("k", keys), ("v", keys)] {
          file.add(name + "self_attn.\(projection)_proj.weight", [out, 16], scale: 0.5)
          if !isThird { file.add(name + "self_attn.\(projection)_proj.bias", [out], scale: 0.2) }
        }
        if isThird {
          for norm in ["q_norm", "k_norm"] { file.add(name + "self_attn.\(norm).weight", [16], scale: 0.1) }
        }
        file.add(name + "self_attn.o_proj.weight", [16, queries], scale: 0.5)
      }
      for projection in ["gate", "up"] { file.add(name + "mlp.\(projection)_proj.weight", [24, 16], scale: 0.3) }
      file.add(name + "mlp.down_proj.weight", [16, 24], scale: 0.3)
    }
    addTower(to: &file, vision, family)
    return try file.data()
  }

  /// Keys resemble queries, as in trained models: else some tokens read almost nothing from the state, and the norm
  /// behind it magnifies their rounding.
  private static func addDeltaNet(to file: inout Writer, _ name: String) {
    func resembling(_ values: inout [Float]) {
      let keys = values.count / 4
      for i in 0..<keys { values[keys + i] = 0.8 * values[i] + 0.6 * values[keys + i] }
    }
    for (part, out) in [("in_proj_qkv", 32), ("in_proj_z", 16), ("in_proj_b", 2), ("in_proj_a", 2)] {
      file.add(name + part + ".weight", [out, 16], scale: 0.5)
      if part == "in_proj_qkv" { file.changeLast(resembling) }
    }
    file.add(name + "conv1d.weight", [32, 1, 4], scale: 0.5)
    file.changeLast(resembling)
    for part in ["A_log", "dt_bias"] { file.add(name + part, [2], scale: 1) }
    file.add(name + "norm.weight", [8], scale: 0.1)
    file.add(name + "out_proj.weight", [16, 16], scale: 0.2)
  }

  private static func addTower(to file: inout Writer, _ vision: String, _ family: ModelConfiguration.Family) {
    let isThird = statesHeads(family)
    // Into the MLP's hidden columns, and out of them.
    let mlp: (first: [String], second: String) =
      switch family {
      case .qwen2_vl: (["fc1"], "fc2")
      case .qwen2_5_vl: (["gate_proj", "up_proj"], "down_proj")
      case .qwen3_vl, .qwen3_5: (["linear_fc1"], "linear_fc2")
      }
    func linear(_ name: String, _ out: Int, _ columns: Int, scale: Double = 0.3) {
      file.add(name + ".weight", [out, columns], scale: scale)
      file.add(name + ".bias", [out], scale: 0.1)
    }
    func norm(_ name: String, _ width: Int) {
      file.add(name + ".weight", [width], scale: 0.1)
      if family != .qwen2_5_vl { file.add(name + ".bias", [width], scale: 0.1) }
    }
    file.add("\(vision).patch_embed.proj.weight", [16, 3, 2, 14, 14], scale: 0.05)
    if isThird {
      file.add("\(vision).patch_embed.proj.bias", [16], scale: 0.1)
      file.add("\(vision).pos_embed.weight", [9, 16], scale: 0.3)
    }
    for block in 0..<2 {
      let name = "\(vision).blocks.\(block)."
      for part in ["norm1", "norm2"] { norm(name + part, 16) }
      for (part, out) in [("attn.qkv", 48), ("attn.proj", 16)] { linear(name + part, out, 16) }
      for part in mlp.first { linear(name + "mlp.\(part)", 24, 16) }
      linear(name + "mlp.\(mlp.second)", 16, 24)
    }
    norm("\(vision).merger.\(isThird ? "norm" : "ln_q")", 16)
    let joined = isThird ? ["linear_fc1", "linear_fc2"] : ["mlp.0", "mlp.2"]
    for (part, out) in zip(joined, [64, 16]) { linear("\(vision).merger.\(part)", out, 64, scale: 0.2) }
    if family == .qwen3_vl {
      norm("\(vision).deepstack_merger_list.0.norm", 64)
      for (part, out) in zip(joined, [64, 16]) {
        linear("\(vision).deepstack_merger_list.0.\(part)", out, 64, scale: 0.2)
      }
    }
  }

  private struct Writer {
    private var tensors: [SafetensorsWriter.Tensor] = []
    private var source = NormalSource(seed: 1)

    /// Adds a tensor of normally distributed values, around 1 for a norm's weights; `replaced` are values put in
    /// afterwards.
    mutating func add(_ name: String, _ shape: [Int], scale: Double, replacing replaced: [(Int, Float)] = []) {
      let isScale = (name.contains("norm") || name.contains("ln_q")) && name.hasSuffix("weight")
      var values = (0..<shape.reduce(1, *)).map { _ in Float((isScale ? 1 : 0) + scale * source.nextGaussian()) }
      for (index, value) in replaced { values[index] = value }
      tensors.append(SafetensorsWriter.Tensor(name: name, shape: shape, values: values))
    }

    /// Changes the values of the tensor that was added last.
    mutating func changeLast(_ change: (inout [Float]) -> Void) {
      let tensor = tensors.removeLast()
      var values = tensor.values
      change(&values)
      tensors.append(SafetensorsWriter.Tensor(name: tensor.name, shape: tensor.shape, values: values))
    }

    func data() throws -> Data { try SafetensorsWriter.encode(tensors) }
  }
}
