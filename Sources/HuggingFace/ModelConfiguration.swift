// The shape of a Qwen-VL model as its config.json states it.

/// Shape of the vision tower (`vision_config`).
package struct VisionConfiguration: Sendable, Equatable {
  package var depth: Int
  package var hiddenSize: Int
  package var intermediateSize: Int
  package var heads: Int
  package var inChannels: Int
  package var patchSize: Int
  package var temporalPatchSize: Int
  package var spatialMergeSize: Int
  /// Side of an attention window in pixels; nil: every block attends over the whole image.
  package var windowSize: Int?
  /// Blocks that attend over the whole image where the others have windows.
  package var fullAttentionBlocks: [Int]
  /// Width of a merger's output, the decoder's hidden size.
  package var outHiddenSize: Int
  package var norm = Norm.rms
  package var mlp = MLP.gatedSiLU
  /// Whether the patch embedding has a bias.
  package var patchBias = false
  /// Learned position embeddings, those of a square grid; nil: none, positions are rotary alone.
  package var positionEmbeddings: Int?
  /// Blocks whose outputs have mergers of their own. The merged outputs are added to the hidden states of visual tokens
  /// after the first decoder layers. Ascending.
  package var deepstackBlocks: [Int] = []

  /// Which norm a block and a merger have.
  package enum Norm: Sendable, Equatable { case rms, layer }

  /// A block's MLP.
  package enum MLP: String, Sendable {
    /// down(silu(gate x) up x), `hidden_act` silu.
    case gatedSiLU = "silu"
    /// fc2(gelu(fc1 x)) with the approximation by tanh, or exact.
    case tanhGELU = "gelu_pytorch_tanh"
    case exactGELU = "gelu"
    /// fc2(h sigmoid(1.702 h)), h = fc1 x.
    case quickGELU = "quick_gelu"
  }

  package var headDimension: Int { hiddenSize / heads }
  /// Values of a visual token: what enters the decoder, then what deepstack adds after its first layers.
  package var featureColumns: Int { outHiddenSize * (1 + deepstackBlocks.count) }
  /// Values in one flattened patch: channels x temporal x side x side.
  package var patchNumbers: Int { inChannels * temporalPatchSize * patchSize * patchSize }
}

/// Shape of the decoder (`text_config`, or the top level in the flat form).
package struct TextConfiguration: Sendable, Equatable {
  package var hiddenSize: Int
  package var intermediateSize: Int
  package var layers: Int
  package var attentionHeads: Int
  package var kvHeads: Int
  package var headDimension: Int
  package var vocabularySize: Int
  package var rmsNormEpsilon: Double
  package var ropeTheta: Double
  /// Rotary pairs that take the temporal, height and width position; they sum to half the numbers of a head that are
  /// turned.
  package var mropeSection: [Int]
  package var tieWordEmbeddings: Bool
  package var maxPositionEmbeddings: Int
  /// Whether the three kinds of pairs alternate, or follow each other in three runs.
  package var mropeInterleaved = false
  /// Whether the projections of queries, keys and values have biases.
  package var qkvBias = true
  /// Whether queries and keys are normalised, each head by itself, before they are turned.
  package var queryKeyNorm = false
  /// How many numbers of a head are turned, the first ones; nil: all.
  package var rotaryDimension: Int?
  /// Whether what attention gives is gated, head by head, by numbers that `q_proj` gives beside the queries.
  package var outputGate = false
  /// Whether the norms' weights are stored less 1.
  package var normsStoreOffset = false
  /// The token mixer of each layer; empty: attention in all.
  package var layerTypes: [LayerType] = []
  /// The shape of the Gated DeltaNet in the layers of linear attention.
  package var linearAttention = LinearAttentionConfiguration()

  /// `layer_types` of config.json.
  package enum LayerType: String, Sendable, Equatable, CaseIterable {
    case fullAttention = "full_attention"
    case linearAttention = "linear_attention"
  }

  /// A Gated DeltaNet (`linear_*` of config.json).
  package struct LinearAttentionConfiguration: Sendable, Equatable {
    package var keyHeads = 16
    package var valueHeads = 32
    package var keyDimension = 128
    package var valueDimension = 128
    /// Tokens that its convolution sees.
    package var taps = 4

    package init() {}

    package var keyColumns: Int { keyHeads * keyDimension }
    package var valueColumns: Int { valueHeads * valueDimension }
    /// Queries, keys and values together.
    package var columns: Int { 2 * keyColumns + valueColumns }
  }

  package init(
    hiddenSize: Int, intermediateSize: Int, layers: Int, attentionHeads: Int, kvHeads: Int, headDimension: Int,
    vocabularySize: Int, rmsNormEpsilon: Double, ropeTheta: Double, mropeSection: [Int], tieWordEmbeddings: Bool,
    maxPositionEmbeddings: Int, mropeInterleaved: Bool = false, qkvBias: Bool = true, queryKeyNorm: Bool = false
  ) {
    (self.hiddenSize, self.intermediateSize, self.layers) = (hiddenSize, intermediateSize, layers)
    (self.attentionHeads, self.kvHeads, self.headDimension) = (attentionHeads, kvHeads, headDimension)
    (self.vocabularySize, self.rmsNormEpsilon, self.ropeTheta) = (vocabularySize, rmsNormEpsilon, ropeTheta)
    (self.mropeSection, self.tieWordEmbeddings) = (mropeSection, tieWordEmbeddings)
    (self.maxPositionEmbeddings, self.mropeInterleaved) = (maxPositionEmbeddings, mropeInterleaved)
    (self.qkvBias, self.queryKeyNorm) = (qkvBias, queryKeyNorm)
  }

  package func isLinear(_ layer: Int) -> Bool {
    layerTypes.indices.contains(layer) && layerTypes[layer] == .linearAttention
  }

  /// The heads of a layer that have values of their own, and how many numbers a value has: KV heads, or the value heads
  /// of linear attention.
  package func valueHeads(of layer: Int) -> (count: Int, dimension: Int) {
    isLinear(layer) ? (linearAttention.valueHeads, linearAttention.valueDimension) : (kvHeads, headDimension)
  }

  /// KV heads of each layer: none where attention is linear.
  package var headCapacity: [Int] { (0..<layers).map { isLinear($0) ? 0 : kvHeads } }
  /// KV heads of all layers.
  package var totalHeads: Int { headCapacity.reduce(0, +) }
  /// Layers of linear attention, of those that have heads by `capacity`.
  package func linearLayers(in capacity: [Int]) -> [Int] {
    capacity.indices.filter { isLinear($0) && capacity[$0] > 0 }
  }
  /// Layers of full attention.
  package var attentionLayers: [Int] { (0..<layers).filter { !isLinear($0) } }

  /// How many numbers of a head are turned, R.
  package var rotaryNumbers: Int { rotaryDimension ?? headDimension }

  /// The axis of positions that each rotary pair follows: 0 time, 1 height, 2 width.   [R/2]
  package var mropeAxes: [Int] {
    guard mropeInterleaved else { return mropeSection.enumerated().flatMap { Array(repeating: $0, count: $1) } }
    // Time, height, width in turn, as long as height and width have pairs; the rest is time's.
    return (0..<rotaryNumbers / 2).map { $0 < 3 * mropeSection[$0 % 3] ? $0 % 3 : 0 }
  }
}

/// A whole model's shape and its special token ids.
package struct ModelConfiguration: Sendable, Equatable {
  /// `model_type` of config.json.
  package enum Family: String, Sendable, CaseIterable {
    case qwen2_vl, qwen2_5_vl, qwen3_vl, qwen3_5

    /// As its makers write it.
    package var name: String {
      switch self {
      case .qwen2_vl: "Qwen2-VL"
      case .qwen2_5_vl: "Qwen2.5-VL"
      case .qwen3_vl: "Qwen3-VL"
      case .qwen3_5: "Qwen3.5"
      }
    }
  }
  package var family: Family
  package var vision: VisionConfiguration
  package var text: TextConfiguration
  package var imageTokenID: Int32
  package var videoTokenID: Int32
  package var visionStartTokenID: Int32
  package var visionEndTokenID: Int32
  /// Tokens that end a generation (`eos_token_id`, one or several; generation_config.json's where present).
  package var endTokenIDs: [Int32]
}
