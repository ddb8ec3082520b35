// The one hook of the decoder: what may add to the output of a projection, and what wants its gradient.
import HuggingFace
import Tensors

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

/// The tokens that an adapter acts on. What it adds reaches the tokens after them, and no token before the first of
/// them.
package enum AdaptedTokens: Sendable {
  /// Visual tokens, at keys and values only.
  case visual
  case all

  /// The adapted tokens among `count`.
  func spans(visual: [Range<Int>], count: Int) -> [Range<Int>] {
    switch self {
    case .visual: visual
    case .all: count > 0 ? [0..<count] : []
    }
  }
}

/// Something that acts on the output of projections, or watches its gradient there. The decoder knows nothing more of
/// adapters and influence probes.
package protocol ProjectionAdapter<Element>: AnyObject {
  associatedtype Element: Scalar

  var tokens: AdaptedTokens { get }

  /// The lowest layer that this acts on: backward ends there. Nil: there is nothing to learn, no backward.
  var lowestLayer: Int? { get }

  /// Whether it acts on a projection of a layer: backward computes in the lowest layer only what those need.
  func adapts(_ layer: Int, _ projection: Projection) -> Bool

  /// Adds to a projection's output, to queries and keys before their rotation.
  /// - Parameters:
  ///   - input: the projection's input, `[N, in]`.
  ///   - output: its output, `[N, out]`, changed in place.
  ///   - spans: the adapted tokens, as rows of `input`.
  func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, spans: [Range<Int>])

  /// Takes the gradient of a projection's adapted output.
  /// - Parameters:
  ///   - input: as in forward, for the tokens that backward covers.
  ///   - values: the adapted values of the same tokens if the projection is v, otherwise nil.
  ///   - dOutput: the gradient of the output.
  ///   - spans: the adapted tokens, as rows of `input`.
  ///   - dInput: the gradient of `input`, to be added to; nil at the lowest layer, where it is not needed.
  func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?, dOutput: Matrix<Element>,
    spans: [Range<Int>], dInput: Matrix<Element>?)
}

/// An adapter at one layer, with the tokens that it acts on there.
struct LayerAdapter<Element: Scalar> {
  let adapter: any ProjectionAdapter<Element>
  let layer: Int
  /// The visual tokens: in forward among all, in backward among those that it covers.
  let visual: [Range<Int>]

  /// Adds to a projection's output.   input [N, in], output [N, out]
  func forward(_ projection: Projection, input: Matrix<Element>, output: Matrix<Element>) {
    let spans = adapter.tokens.spans(visual: visual, count: input.rows)
    if !spans.isEmpty { adapter.forward(layer: layer, projection, input: input, output: output, spans: spans) }
  }

  /// Gives the adapter a projection's gradient, and adds its part to `dInput`.
  func backward(
    _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>? = nil, dOutput: Matrix<Element>,
    addingTo dInput: Matrix<Element>?
  ) {
    let spans = adapter.tokens.spans(visual: visual, count: input.rows)
    adapter.backward(
      layer: layer, projection, input: input, values: values, dOutput: dOutput, spans: spans, dInput: dInput)
  }

  /// Whether backward ends in this layer.
  var isLowest: Bool { layer == adapter.lowestLayer }

  func adapts(_ projection: Projection) -> Bool { adapter.adapts(layer, projection) }

  /// Whether the gradient of one of these projections' outputs is needed, for the layer below or the adapter itself.
  func needs(_ projections: Projection...) -> Bool { needs(projections) }
  func needs(_ projections: [Projection]) -> Bool { !isLowest || projections.contains(where: adapts) }
}
