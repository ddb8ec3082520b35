// Prepared examples as packed batches.
import Datasets
import Preprocessing
import QwenVL
import Tensors

extension BaseModel {
  /// Packs examples that are computed together: one image group, whose examples have the same images, or several groups
  /// of one each.
  /// - Parameters:
  ///   - adapter: with which the batch will be computed.
  ///   - frozenLayers: layers below the adapter's lowest that pass by themselves; see `hiddenStates`.
  /// - Throws: `SampleError` for an example whose files can no longer be read.
  package func packedBatch(
    _ groups: [ImageGroup], of data: PreparedExamples, adapter: (any ProjectionAdapter<Float>)?, frozenLayers: Int = 0
  ) throws -> PackedBatch {
    try packedBatch(groups, of: data, frozenLayers) { row, sample throws(SampleError) in
      ImageFeatures(features: try features(of: row, sample: sample, adapter: adapter))
    }
  }

  /// The same for a pass from which an adapter learns.
  /// - Parameters:
  ///   - dropout: of the step, if there is any.
  ///   - activationBytes: how much the tower may save for backward, an image.
  package func learnedBatch(
    _ groups: [ImageGroup], of data: PreparedExamples, adapter: any ProjectionAdapter<Float>, dropout: Dropout? = nil,
    activationBytes: Int = .max, frozenLayers: Int = 0
  ) throws -> PackedBatch {
    var batch = try packedBatch(groups, of: data, frozenLayers) { row, sample throws(SampleError) in
      try learnedFeatures(of: row, sample: sample, adapter: adapter, dropout: dropout, activationBytes: activationBytes)
    }
    batch.dropout = dropout
    return batch
  }

  private func packedBatch(
    _ groups: [ImageGroup], of data: PreparedExamples, _ frozenLayers: Int,
    features: (_ row: Example, _ sample: Sample) throws(SampleError) -> ImageFeatures
  ) throws -> PackedBatch {
    let indices = groups.flatMap(\.examples)
    let examples = try data.examples(indices)
    let samples = try zip(examples, indices).map { try data.sample(of: $0, at: $1) }
    func images(_ index: Int) throws -> ImageFeatures {
      // Deepstack's levels enter the first layers; above them an image is known by its place alone.
      guard frozenLayers < max(1, configuration.vision.deepstackBlocks.count) else {
        return ImageFeatures(features: samples[index].visualSpans.map { Matrix(uninitialized: $0.count, 0) })
      }
      return try features(examples[index], samples[index])
    }
    let batch: PackedBatch
    if groups.count == 1 {
      let images = try images(longest(samples))
      batch = PackedBatch(samples, images: .shared(images.features), passes: [images.passes])
    } else {
      let images = try samples.indices.map(images)
      batch = PackedBatch(samples, images: .own(images.map(\.features)), passes: images.map(\.passes))
    }
    guard frozenLayers > 0 else { return batch }
    return batch.beginning(
      atLayer: frozenLayers, with: try hiddenStates(of: examples, samples: samples, before: frozenLayers))
  }
}
