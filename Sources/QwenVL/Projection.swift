// Linear projections of decoder layers, by their names.
import HuggingFace

/// A linear projection of a decoder layer, by its name in checkpoints and in PEFT's `target_modules`.
package enum Projection: String, Sendable, CaseIterable {
  /// Of attention. An Image-LoRA calls the values of linear attention, a part of `linearInput`, `value` too.
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
  /// Of linear attention: to queries, keys and values; to the output's gate; to write strengths; to decays.
  case linearInput = "in_proj_qkv"
  case linearGate = "in_proj_z"
  case linearStrength = "in_proj_b"
  case linearDecay = "in_proj_a"
  case linearOutput = "out_proj"
  /// Of the MLP.
  case gate = "gate_proj"
  case up = "up_proj"
  case down = "down_proj"

  package static let attention: [Projection] = [.query, .key, .value, .output]
  package static let linearAttention: [Projection] = [
    .linearInput, .linearGate, .linearStrength, .linearDecay, .linearOutput,
  ]
  package static let mlp: [Projection] = [.gate, .up, .down]

  /// The module of a decoder layer that it belongs to, by its name in checkpoints.
  package var module: String {
    switch self {
    case .query, .key, .value, .output: "self_attn"
    case .linearInput, .linearGate, .linearStrength, .linearDecay, .linearOutput: "linear_attn"
    case .gate, .up, .down: "mlp"
    }
  }
}

extension TextConfiguration {
  /// The projections that a layer has.
  package func projections(of layer: Int) -> [Projection] {
    (isLinear(layer) ? Projection.linearAttention : Projection.attention) + Projection.mlp
  }
}
