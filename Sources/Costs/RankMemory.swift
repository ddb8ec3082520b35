// The memory of a rank without the mapped weights.
import Batches
import HuggingFace
import QwenVL

/// Bytes of a rank without the mapped weights, at one batch.
package struct RankMemory: Equatable {
  /// The inputs of the layers from the lowest adapted one up, and the activations that `DecoderLayer` saves for
  /// backward.
  package let activations: Double
  /// The largest of what lives only while a layer, the head or the vision tower computes.
  package let work: Double
  /// Parameters, gradients, both moments, the reduced gradient, and the exact sum's words.
  package let adapter: Double
  /// Cached vision features, and hidden states of the layers below those that a run restricts its adapter to.
  package let features: Double
  /// The program, its libraries, tokenizer and examples: a rough estimate.
  package let program: Double
  package var total: Double { activations + work + adapter + features + program }

  /// - Parameters:
  ///   - imageTokens: visual tokens of all different images together.
  ///   - hiddenStates: bytes of the hidden states of all examples below the adapted layers, 0 unless they are cached.
  ///   - featureMiB: `model.feature_memory_mib`, which bounds features and hidden states each.
  package init(
    _ unit: BatchShape, adapter planned: PlannedAdapter, imageTokens: Double, hiddenStates: Double,
    featureMiB: Int, activations budget: ActivationBudget,
    _ configuration: ModelConfiguration
  ) {
    let (v, t) = (configuration.vision, configuration.text)
    let float = Double(MemoryLayout<Float>.stride)
    let (T, R) = (Double(unit.tokens), Double(unit.answers))
    let H = Double(t.hiddenSize)
    let saved = SavedActivations(unit, t, budget.precision)
    let layers = planned.learns(from: unit) ? Array(planned.lowest(t)..<t.layers) : []
    let learning = layers.count
    let all = layers.reduce(0) { $0 + saved.bytes($1) }
    let largest = layers.map { saved.bytes($0, queries: T) }.max() ?? 0
    // Beyond the budget, activations are recomputed one layer at a time.
    activations = float * Double(learning) * T * H + min(all, Double(budget.bytes) + largest)
    // Backward of the MLP at its widest: three matrices of a span's width and five of the hidden size. Where an adapter
    // acts on the MLP, of its whole width, and two more where those that forward saved are in bf16.
    let inner =
      planned.actsOnMLP
      ? (budget.precision == .bfloat16 ? 5 : 3) * Double(t.intermediateSize)
      : 3 * Double(min(t.intermediateSize, GatedMLPSpans.numbers))
    let layer = float * T * (inner + 5 * H)
    let head = float * (min(R, 128) * Double(t.vocabularySize) + 2 * R * H)
    let patches = Double(unit.images.max() ?? 0)
    let vision = float * patches * Double(v.patchNumbers + 6 * v.hiddenSize + (v.mlpInputs + 1) * v.intermediateSize)
    work = max(layer, head, vision) + float * T * H
    // Four vectors of fp32, the gradient taken from the sum, its words and MPI's copy of them.
    adapter = Double(planned.parameters(t)) * (5 * float + 2 * Double(MemoryLayout<Int64>.stride))
    let most = Double(featureMiB) * 0x1p20
    features = min(most, imageTokens * Double(v.featureColumns) * float) + min(most, hiddenStates)
    program = Double(60 << 20)
  }
}
