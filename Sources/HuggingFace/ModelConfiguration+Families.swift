// What makes a family: its fixed parts, and the sizes that transformers' configuration classes give to absent keys.

extension VisionConfiguration {
  /// The vision tower of transformers' `Qwen2VLVisionConfig`, `Qwen2_5_VLVisionConfig`, `Qwen3VLVisionConfig` or
  /// `Qwen3_5VisionConfig`.
  init(defaultsOf family: ModelConfiguration.Family) {
    switch family {
    case .qwen2_vl:
      self.init(
        depth: 32, hiddenSize: 1280, intermediateSize: 5120, heads: 16, inChannels: 3, patchSize: 14,
        temporalPatchSize: 2, spatialMergeSize: 2, windowSize: nil, fullAttentionBlocks: [], outHiddenSize: 3584,
        norm: .layer, mlp: .quickGELU)
    case .qwen2_5_vl:
      self.init(
        depth: 32, hiddenSize: 3584, intermediateSize: 3420, heads: 16, inChannels: 3, patchSize: 14,
        temporalPatchSize: 2, spatialMergeSize: 2, windowSize: 112, fullAttentionBlocks: [7, 15, 23, 31],
        outHiddenSize: 3584)
    case .qwen3_vl, .qwen3_5:
      self.init(
        depth: 27, hiddenSize: 1152, intermediateSize: 4304, heads: 16, inChannels: 3, patchSize: 16,
        temporalPatchSize: 2, spatialMergeSize: 2, windowSize: nil, fullAttentionBlocks: [], outHiddenSize: 3584,
        norm: .layer, mlp: .tanhGELU, patchBias: true, positionEmbeddings: 2304,
        deepstackBlocks: family == .qwen3_vl ? [8, 16, 24] : [])
    }
  }
}

extension TextConfiguration {
  /// The decoder of transformers' `Qwen2VLTextConfig`, `Qwen2_5_VLTextConfig`, `Qwen3VLTextConfig` or
  /// `Qwen3_5TextConfig`.
  init(defaultsOf family: ModelConfiguration.Family) {
    switch family {
    case .qwen2_vl, .qwen2_5_vl:
      self.init(
        hiddenSize: 8192, intermediateSize: 29568, layers: 80, attentionHeads: 64, kvHeads: 8, headDimension: 128,
        vocabularySize: 152_064, rmsNormEpsilon: 1e-5, ropeTheta: 1e6, mropeSection: [16, 24, 24],
        tieWordEmbeddings: false, maxPositionEmbeddings: 32768)
    case .qwen3_vl:
      self.init(
        hiddenSize: 4096, intermediateSize: 22016, layers: 32, attentionHeads: 32, kvHeads: 32, headDimension: 128,
        vocabularySize: 151_936, rmsNormEpsilon: 1e-6, ropeTheta: 5e5, mropeSection: [24, 20, 20],
        tieWordEmbeddings: false, maxPositionEmbeddings: 128_000, mropeInterleaved: true, qkvBias: false,
        queryKeyNorm: true)
    case .qwen3_5:
      self.init(
        hiddenSize: 4096, intermediateSize: 12288, layers: 32, attentionHeads: 16, kvHeads: 4, headDimension: 256,
        vocabularySize: 248_320, rmsNormEpsilon: 1e-6, ropeTheta: 1e4, mropeSection: [11, 11, 10],
        tieWordEmbeddings: false, maxPositionEmbeddings: 32768, mropeInterleaved: true, qkvBias: false,
        queryKeyNorm: true)
      (outputGate, normsStoreOffset) = (true, true)
    }
  }
}

extension ModelConfiguration.Family {
  /// What transformers' configuration class gives to absent keys: image, video, vision start, vision end, end.
  var defaultTokens: (image: Int, video: Int, visionStart: Int, visionEnd: Int, end: Int) {
    switch self {
    case .qwen2_vl, .qwen2_5_vl, .qwen3_vl: (151_655, 151_656, 151_652, 151_653, 151_645)
    case .qwen3_5: (248_056, 248_057, 248_053, 248_054, 248_046)
    }
  }
}
