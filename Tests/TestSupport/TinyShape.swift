// The shape of a very small decoder.
import HuggingFace

extension TextConfiguration {
  /// Three layers of four query and two KV heads.
  package static let tiny = TextConfiguration(
    hiddenSize: 8, intermediateSize: 12, layers: 3, attentionHeads: 4, kvHeads: 2, headDimension: 4,
    vocabularySize: 13, rmsNormEpsilon: 1e-6, ropeTheta: 1e4, mropeSection: [1, 1, 0], tieWordEmbeddings: false,
    maxPositionEmbeddings: 64)
}
