// Prepared examples as packed batches.
import Datasets
import Preprocessing
import QwenVL

extension BaseModel {
  /// Packs examples that are computed together: one image group, whose examples have the same images, or several groups
  /// of one each.
  /// - Parameter adapter: with which the batch will be computed.
  /// - Throws: `SampleError` for an example whose files can no longer be read.
  package func packedBatch(
    _ groups: [ImageGroup], of data: PreparedExamples, adapter: (any ProjectionAdapter<Float>)?
  ) throws -> PackedBatch {
    try packedBatch(groups, of: data) { row, sample throws(SampleError) in
      ImageFeatures(features: try features(of: row, sample: sample, adapter: adapter))
    }
  }

  /// The same for a pass from which an adapter learns.
  /// - Parameters:
  ///   - dropout: of the step, if there is any.
  ///   - activationBytes: how much the tower may save for backward, an image.
  package func learnedBatch(
    _ groups: [ImageGroup], of data: PreparedExamples, adapter: any ProjectionAdapter<Float>, dropout: Dropout? = nil,
    activationBytes: Int = .max
  ) throws -> PackedBatch {
    var batch = try packedBatch(groups, of: data) { row, sample throws(SampleError) in
      try learnedFeatures(of: row, sample: sample, adapter: adapter, dropout: dropout, activationBytes: activationBytes)
    }
    batch.dropout = dropout
    return batch
  }

  private func packedBatch(
    _ groups: [ImageGroup], of data: PreparedExamples,
    features: (_ row: Example, _ sample: Sample) throws(SampleError) -> ImageFeatures
  ) throws -> PackedBatch {
    let indices = groups.flatMap(\.examples)
    let examples = try data.examples(indices)
    let samples = try zip(examples, indices).map { try data.sample(of: $0, at: $1) }
    if groups.count == 1 {
      let most = longest(samples)
      let images = try features(examples[most], samples[most])
      return PackedBatch(samples, images: .shared(images.features), passes: [images.passes])
    }
    let images = try zip(examples, samples).map { try features($0, $1) }
    return PackedBatch(samples, images: .own(images.map(\.features)), passes: images.map(\.passes))
  }
}
