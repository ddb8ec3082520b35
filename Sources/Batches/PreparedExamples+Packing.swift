// Prepared examples as packed batches.
import Datasets
import Preprocessing
import QwenVL
import Tensors

extension BaseModel {
  /// Packs image groups that are computed together.
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
    // Deepstack's levels enter the first layers; above them an image is known by its place alone.
    let needsFeatures = frozenLayers < max(1, configuration.vision.deepstackBlocks.count)
    var all: [Example] = []
    let packed = try groups.map { group in
      let examples = try data.examples(group.examples)
      let samples = try zip(examples, group.examples).map { try data.sample(of: $0, at: $1) }
      let longest = longest(samples)
      let images =
        needsFeatures
        ? try features(examples[longest], samples[longest])
        : ImageFeatures(features: samples[longest].visualSpans.map { Matrix(uninitialized: $0.count, 0) })
      all += examples
      return SampleGroup(samples, features: images.features, passes: images.passes)
    }
    let batch = PackedBatch(packed)
    guard frozenLayers > 0 else { return batch }
    return batch.beginning(
      atLayer: frozenLayers, with: try hiddenStates(of: all, samples: packed.flatMap(\.samples), before: frozenLayers))
  }
}
