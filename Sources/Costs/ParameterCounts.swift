// The parameters of a model by part.
import HuggingFace

/// Parameters of a model by part, as the checkpoint's table of names has them.
package struct ParameterCounts: Equatable {
  /// The vision tower with its mergers.
  package let vision: Int
  /// The decoder's layers and last norm.
  package let decoder: Int
  package let embedding: Int
  /// 0 where it is the embedding itself.
  package let head: Int
  package var total: Int { vision + decoder + embedding + head }

  package init(_ configuration: ModelConfiguration) {
    let (v, t) = (configuration.vision, configuration.text)
    let merged = v.hiddenSize * v.spatialMergeSize * v.spatialMergeSize
    let norm = v.norm == .layer ? 2 : 1  // a width's weight, and its bias
    // Norms, fused q k v, projection, MLP, all linears with a bias.
    let block =
      2 * norm * v.hiddenSize + 4 * v.hiddenSize * (v.hiddenSize + 1)
      + v.mlpInputs * v.intermediateSize * (v.hiddenSize + 1) + v.hiddenSize * (v.intermediateSize + 1)
    let merging = merged * (merged + 1) + v.outHiddenSize * (merged + 1)
    // Deepstack's norms are as wide as the joined patches.
    let mergers = norm * v.hiddenSize + merging + v.deepstackBlocks.count * (norm * merged + merging)
    let patches = v.hiddenSize * (v.patchNumbers + (v.patchBias ? 1 : 0) + (v.positionEmbeddings ?? 0))
    vision = patches + v.depth * block + mergers
    let (queries, keys) = (t.attentionHeads * t.headDimension, t.kvHeads * t.headDimension)
    // Norms and the gated MLP, without biases.
    let common = 2 * t.hiddenSize + 3 * t.hiddenSize * t.intermediateSize
    // q with its gates, k, v, o, of which o has no bias.
    let projected = queries * (t.outputGate ? 2 : 1) + 2 * keys
    let attention =
      projected * (t.hiddenSize + (t.qkvBias ? 1 : 0)) + t.hiddenSize * queries
      + (t.queryKeyNorm ? 2 * t.headDimension : 0)
    let linear = t.linearAttention
    // qkv, z and out; a and b with A_log and dt_bias; convolution; norm.
    let deltaNet =
      t.hiddenSize * (linear.columns + 2 * linear.valueColumns) + 2 * linear.valueHeads * (t.hiddenSize + 1)
      + linear.columns * linear.taps + linear.valueDimension
    decoder =
      (0..<t.layers).reduce(0) { $0 + common + (t.isLinear($1) ? deltaNet : attention) } + t.hiddenSize
    embedding = t.vocabularySize * t.hiddenSize
    head = t.tieWordEmbeddings ? 0 : embedding
  }
}

extension VisionConfiguration {
  /// Projections from a block's width to its MLP's.
  package var mlpInputs: Int { mlp == .gatedSiLU ? 2 : 1 }
}
