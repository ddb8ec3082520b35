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
  /// Side of an attention window in pixels.
  public var windowSize: Int
  /// Blocks that attend over the whole image.
  public var fullAttentionBlocks: [Int]
  /// Width of the merger's output, the decoder's hidden size.
  public var outHiddenSize: Int
  public var tokensPerSecond: Int

  public var headDimension: Int { hiddenSize / heads }
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
}

/// A whole model's shape and its special token ids.
public struct ModelConfiguration: Sendable, Equatable {
  /// `model_type` of config.json.
  public enum Family: String, Sendable { case qwen2_5_vl }
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
