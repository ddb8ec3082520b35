// The features of examples' images under an adapter: the frozen tower's from the store, or computed each time with an
// adapter of the tower.
import Datasets
import Preprocessing
import QwenVL
import Tensors

/// Features of an example's images.
package struct ImageFeatures: Sendable {
  /// `[t h w / merge^2, featureColumns]` each.
  package var features: [Matrix<Float>]
  /// The passes that made them, where backward goes on through the tower; otherwise none.
  package var passes: [VisionTower<Float>.Pass] = []
}

extension BaseModel {
  /// Features of each of a sample's images.
  /// - Throws: `SampleError` for an image that can no longer be read or has changed.
  package func features(
    of row: Example, sample: Sample, adapter: (any ProjectionAdapter<Float>)?
  ) throws(SampleError) -> [Matrix<Float>] {
    guard let tower = adapter?.tower else { return try featureStore.features(of: row, sample: sample) }
    return try featureStore.patches(of: row, sample: sample).map { patches, grid in
      model.vision.forward(patches: patches, grid: grid, adapter: tower)
    }
  }

  /// The same of examples with the same images, of which each sample has the first ones.
  /// - Precondition: there is a sample.
  package func features(
    of group: [Example], samples: [Sample], adapter: (any ProjectionAdapter<Float>)?
  ) throws(SampleError) -> [Matrix<Float>] {
    let most = longest(samples)
    return try features(of: group[most], sample: samples[most], adapter: adapter)
  }

  /// The same for a pass from which an adapter learns.
  /// - Parameters:
  ///   - dropout: of the step, if there is any.
  ///   - activationBytes: how much the tower may save for backward, an image.
  package func learnedFeatures(
    of row: Example, sample: Sample, adapter: any ProjectionAdapter<Float>, dropout: Dropout? = nil,
    activationBytes: Int = .max
  ) throws(SampleError) -> ImageFeatures {
    guard let tower = adapter.tower else {
      return ImageFeatures(features: try featureStore.features(of: row, sample: sample))
    }
    let passes = try featureStore.patches(of: row, sample: sample).enumerated().map { image, found in
      model.vision.forwardSavingActivations(
        patches: found.patches, grid: found.grid, adapter: tower,
        dropout: dropout?.patches(found.grid.patches, image: image, of: row.id), maximumBytes: activationBytes)
    }
    return ImageFeatures(features: passes.map(\.features), passes: passes)
  }

  /// The sample with the most images.
  func longest(_ samples: [Sample]) -> Int {
    guard let most = samples.indices.max(by: { samples[$0].frames.count < samples[$1].frames.count }) else {
      preconditionFailure("a group has a sample")
    }
    return most
  }
}
