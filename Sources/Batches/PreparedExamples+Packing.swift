// Prepared examples as packed batches.
import Datasets

extension BaseModel {
  /// Packs examples that are computed together: one unit, whose examples have the same images, or several units of one
  /// each.
  /// - Throws: `SampleError` for an example whose files can no longer be read.
  package func packedBatch(_ units: [ImageGroup], of data: PreparedExamples) throws -> PackedBatch {
    let rows = units.flatMap(\.rows).map { data.rows[$0] }
    let samples = try rows.map(data.samples.sample)
    if units.count == 1 {
      return PackedBatch(samples, images: .shared(try featureStore.features(of: rows[0], sample: samples[0])))
    }
    return PackedBatch(
      samples, images: .own(try zip(rows, samples).map { try featureStore.features(of: $0, sample: $1) }))
  }
}
