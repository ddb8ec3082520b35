// What makes a family: its fixed parts, and the sizes that transformers' configuration classes give to absent keys.

extension VisionConfiguration {
  /// The vision tower of transformers' `Qwen2_5_VLVisionConfig` or `Qwen3VLVisionConfig`.
  init(defaultsOf family: ModelConfiguration.Family) {
    switch family {
    case .qwen2_5_vl:
      self.init(
        depth: 32, hiddenSize: 3584, intermediateSize: 3420, heads: 16, inChannels: 3, patchSize: 14,
        temporalPatchSize: 2, spatialMergeSize: 2, windowSize: 112, fullAttentionBlocks: [7, 15, 23, 31],
        outHiddenSize: 3584)
    case .qwen3_vl:
      self.init(
        depth: 27, hiddenSize: 1152, intermediateSize: 4304, heads: 16, inChannels: 3, patchSize: 16,
        temporalPatchSize: 2, spatialMergeSize: 2, windowSize: nil, fullAttentionBlocks: [], outHiddenSize: 3584,
        norm: .layer, mlp: .tanhGELU, patchBias: true, positionEmbeddings: 2304, deepstackBlocks: [8, 16, 24])
    }
  }
}

extension TextConfiguration {
  /// The decoder of transformers' `Qwen2_5_VLTextConfig` or `Qwen3VLTextConfig`.
  init(defaultsOf family: ModelConfiguration.Family) {
    switch family {
    case .qwen2_5_vl:
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
    }
  }
}
