// What forward saves of a decoder layer for backward, and what recomputing it costs.
import Batches
import HuggingFace
import Layers
import Tensors

/// The activations of a decoder layer at a batch.
struct SavedActivations {
  private let unit: BatchShape
  private let text: TextConfiguration
  private let precision: Precision

  init(_ unit: BatchShape, _ text: TextConfiguration, _ precision: Precision) {
    (self.unit, self.text, self.precision) = (unit, text, precision)
  }

  /// Bytes of a layer. In the last one only the answers' positions are queries.
  func bytes(_ layer: Int) -> Double {
    bytes(layer, queries: Double(layer == text.layers - 1 ? unit.answers : unit.tokens))
  }

  /// Bytes of a layer with so many query tokens.
  func bytes(_ layer: Int, queries: Double) -> Double {
    Self.bytes(layer, tokens: Double(unit.tokens), queries: queries, text, precision)
  }

  /// Bytes of a layer with so many tokens, and query tokens among them.
  static func bytes(
    _ layer: Int, tokens T: Double, queries Q: Double, _ t: TextConfiguration, _ precision: Precision
  ) -> Double {
    let float = Double(MemoryLayout<Float>.stride)
    // Numbers that are kept in the compute precision, in those of fp32.
    let kept = precision == .bfloat16 ? 0.5 : 1
    let (H, I, heads) = (Double(t.hiddenSize), Double(t.intermediateSize), Double(t.attentionHeads))
    let (queries, keys) = (heads * Double(t.headDimension), Double(t.kvHeads * t.headDimension))
    // k and v of every token; q, attention's output and statistics, h, gate and up of query tokens. Queries and keys
    // once more, in fp32, where they have norms; queries where outputs have gates.
    let multiplied = Attention<Float>.rounds(queries: Int(Q), keys: Int(T)) ? kept : 1
    let twice: Double = t.queryKeyNorm ? 1 : 0
    let gates: Double = t.outputGate ? 1 : 0
    // What the convolution gives and the numbers behind the gates of every token, with a state a chunk; what the rule
    // gives and its gate of query tokens.
    let linear = t.linearAttention
    let states = Double(linear.keyDimension * linear.valueColumns) / Double(GatedDeltaRule<Float>.usualChunk)
    let perToken = kept * Double(linear.columns) + Double(2 * linear.valueHeads) + states
    let mixer =
      t.isLinear(layer)
      ? T * perToken + Q * 2 * kept * Double(linear.valueColumns)
      : (2 * multiplied + twice) * T * keys + Q * ((multiplied + twice + kept * (1 + gates)) * queries + heads)
    return float * (mixer + Q * (H + 2 * kept * I))
  }

  /// Layers whose activations do not fit into so many bytes, as `Decoder.forwardSavingActivations` counts: backward
  /// computes them again.
  func recomputedLayers(from lowest: Int, within maximumBytes: Int) -> [Int] {
    (min(lowest, text.layers)..<text.layers).filter { layer in
      Double(text.layers - layer) * bytes(layer) > Double(maximumBytes)
    }
  }
}
