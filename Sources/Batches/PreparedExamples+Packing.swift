// Prepared examples as packed batches.
import Datasets

extension BaseModel {
  /// Packs examples that are computed together: one image group, whose examples have the same images, or several groups
  /// of one each.
  /// - Throws: `SampleError` for an example whose files can no longer be read.
  package func packedBatch(_ groups: [ImageGroup], of data: PreparedExamples) throws -> PackedBatch {
    let examples = groups.flatMap(\.examples).map { data.examples[$0] }
    let samples = try examples.map(data.samples.sample)
    if groups.count == 1 {
      return PackedBatch(samples, images: .shared(try featureStore.features(of: examples, samples: samples)))
    }
    return PackedBatch(
      samples, images: .own(try zip(examples, samples).map { try featureStore.features(of: $0, sample: $1) }))
  }
}
