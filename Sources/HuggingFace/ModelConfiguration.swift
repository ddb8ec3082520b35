// The shape of a Qwen-VL model as its config.json states it.

/// Shape of the vision tower (`vision_config`).
public struct VisionConfiguration: Sendable, Equatable {
  public var depth: Int
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var heads: Int
  public var inChannels: Int
  public var patchSize: Int
  public var temporalPatchSize: Int
  public var spatialMergeSize: Int
  /// Side of an attention window in pixels; nil: every block attends over the whole image.
  public var windowSize: Int?
  /// Blocks that attend over the whole image where the others have windows.
  public var fullAttentionBlocks: [Int]
  /// Width of a merger's output, the decoder's hidden size.
  public var outHiddenSize: Int
  public var norm = Norm.rms
  public var mlp = MLP.gatedSiLU
  /// Whether the patch embedding has a bias.
  public var patchBias = false
  /// Learned position embeddings, those of a square grid; nil: none, positions are rotary alone.
  public var positionEmbeddings: Int?
  /// Blocks whose outputs have mergers of their own; merged, they are added to the hidden states of visual tokens
  /// behind the first decoder layers. Ascending.
  public var deepstackBlocks: [Int] = []

  /// Which norm a block and a merger have.
  public enum Norm: Sendable, Equatable { case rms, layer }

  /// A block's MLP.
  public enum MLP: String, Sendable {
    /// down(silu(gate x) up x), `hidden_act` silu.
    case gatedSiLU = "silu"
    /// fc2(gelu(fc1 x)) with the approximation by tanh, or exact.
    case tanhGELU = "gelu_pytorch_tanh"
    case exactGELU = "gelu"
  }

  public var headDimension: Int { hiddenSize / heads }
  /// Numbers of a visual token: what enters the decoder, then what deepstack adds behind its first layers.
  public var featureColumns: Int { outHiddenSize * (1 + deepstackBlocks.count) }
  /// Numbers in one flattened patch: channels x temporal x side x side.
  public var patchNumbers: Int { inChannels * temporalPatchSize * patchSize * patchSize }
}

/// Shape of the decoder (`text_config`, or the top level in the flat form).
public struct TextConfiguration: Sendable, Equatable {
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var layers: Int
  public var attentionHeads: Int
  public var kvHeads: Int
  public var headDimension: Int
  public var vocabularySize: Int
  public var rmsNormEpsilon: Double
  public var ropeTheta: Double
  /// Rotary pairs that take the temporal, height and width position; sums to half the head dimension.
  public var mropeSection: [Int]
  public var tieWordEmbeddings: Bool
  public var maxPositionEmbeddings: Int
  /// Whether the three kinds of pairs alternate, or follow each other in three runs.
  public var mropeInterleaved = false
  /// Whether the projections of queries, keys and values have biases.
  public var qkvBias = true
  /// Whether queries and keys are normalised, each head by itself, before they are turned.
  public var queryKeyNorm = false

  /// The axis of positions that each rotary pair follows: 0 time, 1 height, 2 width.   [D/2]
  public var mropeAxes: [Int] {
    guard mropeInterleaved else { return mropeSection.enumerated().flatMap { Array(repeating: $0, count: $1) } }
    // Time, height, width in turn, as long as height and width have pairs; the rest is time's.
    return (0..<headDimension / 2).map { $0 < 3 * mropeSection[$0 % 3] ? $0 % 3 : 0 }
  }
}

/// A whole model's shape and its special token ids.
public struct ModelConfiguration: Sendable, Equatable {
  /// `model_type` of config.json.
  public enum Family: String, Sendable, CaseIterable {
    case qwen2_5_vl, qwen3_vl

    /// As its makers write it.
    public var name: String { self == .qwen2_5_vl ? "Qwen2.5-VL" : "Qwen3-VL" }
  }
  public var family: Family
  public var vision: VisionConfiguration
  public var text: TextConfiguration
  public var imageTokenID: Int32
  public var videoTokenID: Int32
  public var visionStartTokenID: Int32
  public var visionEndTokenID: Int32
  /// Tokens that end a generation (`eos_token_id`, one or several; generation_config.json's where present).
  public var endTokenIDs: [Int32]
}
