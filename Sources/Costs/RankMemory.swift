// The memory of a rank without the mapped weights.
import Batches
import HuggingFace
import Layers

/// Bytes of a rank without the mapped weights, at one batch.
package struct RankMemory: Equatable {
  /// The inputs of the layers from the lowest adapted one up, and the activations that `DecoderLayer` saves for
  /// backward.
  package let activations: Double
  /// The largest of what lives only while a layer, the head or the vision tower computes.
  package let work: Double
  /// Parameters, gradients, both moments, the reduced gradient, and the exact sum's words.
  package let adapter: Double
  /// Cached vision features.
  package let features: Double
  /// The program, its libraries, tokenizer and examples: a rough estimate.
  package let program: Double
  package var total: Double { activations + work + adapter + features + program }

  /// - Parameters:
  ///   - imageTokens: visual tokens of all different images together.
  ///   - featureMiB: `model.feature_memory_mib`.
  ///   - activationBytes: what saved activations may take in addition to the layers' inputs.
  package init(
    _ unit: BatchShape, adapter planned: PlannedAdapter, imageTokens: Double, featureMiB: Int, activationBytes: Int,
    _ configuration: ModelConfiguration
  ) {
    let (v, t) = (configuration.vision, configuration.text)
    let float = Double(MemoryLayout<Float>.stride)
    let (T, R) = (Double(unit.tokens), Double(unit.answers))
    let (H, I, heads) = (Double(t.hiddenSize), Double(t.intermediateSize), Double(t.attentionHeads))
    let (queries, keys) = (heads * Double(t.headDimension), Double(t.kvHeads * t.headDimension))
    // k and v of every token; q, attention's output and statistics, h, gate and up of query tokens; also x of every
    // token. Queries and keys once more where they have norms, queries where outputs have gates.
    let twice: Double = t.queryKeyNorm ? 1 : 0
    let gates: Double = t.outputGate ? 1 : 0
    // What the convolution gives and the numbers behind the gates of every token, with a state a chunk; what the rule
    // gives and its gate of query tokens.
    let linear = t.linearAttention
    let states = Double(linear.keyDimension * linear.valueColumns) / Double(GatedDeltaRule<Float>.usualChunk)
    let perToken = Double(linear.columns + 2 * linear.valueHeads) + states
    func saved(_ layer: Int, _ Q: Double) -> Double {
      let mixer =
        t.isLinear(layer)
        ? T * perToken + Q * 2 * Double(linear.valueColumns)
        : (2 + twice) * T * keys + Q * ((2 + twice + gates) * queries + heads)
      return float * (mixer + Q * (H + 2 * I))
    }
    let layers = planned.learns(from: unit) ? Array(planned.lowest(t)..<t.layers) : []
    let (learning, last) = (layers.count, t.layers - 1)
    let all = layers.reduce(0) { $0 + saved($1, $1 == last ? R : T) }
    let largest = layers.map { saved($0, T) }.max() ?? 0
    // Beyond the budget, activations are recomputed one layer at a time.
    activations = float * Double(learning) * T * H + min(all, Double(activationBytes) + largest)
    // Backward of the MLP at its widest: three matrices of the MLP's width, and five of the hidden size.
    let layer = float * T * (3 * I + 5 * H)
    let head = float * (min(R, 128) * Double(t.vocabularySize) + 2 * R * H)
    let patches = Double(unit.images.max() ?? 0)
    let vision = float * patches * Double(v.patchNumbers + 6 * v.hiddenSize + (v.mlpInputs + 1) * v.intermediateSize)
    work = max(layer, head, vision) + float * T * H
    // Four vectors of fp32, the gradient taken from the sum, its words and MPI's copy of them.
    adapter = Double(planned.parameters(t)) * (5 * float + 2 * Double(MemoryLayout<Int128>.stride))
    features = min(Double(featureMiB) * 0x1p20, imageTokens * Double(v.featureColumns) * float)
    program = Double(60 << 20)
  }
}
