// Features of pictures: the vision tower is frozen, so each picture's tokens are the same every time.
import Datasets
import HuggingFace
import Preprocessing
import QwenVL
import Synchronization
import Tensors

/// Computes visual tokens, and keeps the latest ones within a bound of memory.
public final class FeatureStore: Sendable {
  private struct Key: Hashable {
    let source: ImageSource
    let frame: ImageFrame
  }

  private struct Kept {
    var features: [Key: (features: Matrix<Float>, lastUse: Int)] = [:]
    var numbers = 0
    var uses = 0
  }

  private let tower: VisionTower<Float>
  private let samples: SampleBuilder
  private let maximumNumbers: Int
  private let kept = Mutex(Kept())

  /// - Parameter maximumBytes: memory that kept features may take, 256 MiB unless stated.
  public init(tower: VisionTower<Float>, samples: SampleBuilder, maximumBytes: Int = 256 << 20) {
    self.tower = tower
    self.samples = samples
    maximumNumbers = maximumBytes / MemoryLayout<Float>.stride
  }

  /// Each image's visual tokens, `[t h w / merge^2, H]`; pictures are decoded only if one of them is not kept.
  public func features(of row: Row, sample: Sample) throws -> [Matrix<Float>] {
    let keys = zip(row.images, sample.frames).map(Key.init)
    let known = keys.map(lookUp)
    if known.allSatisfy({ $0 != nil }) { return known.compactMap(\.self) }
    return try zip(keys, samples.images(of: row, for: sample)).map { key, image in
      let patches = Matrix(image.patches, rows: image.grid.patches, columns: image.patches.count / image.grid.patches)
      let features = tower.forward(patches: patches, grid: image.grid)
      keep(features, for: key)
      return features
    }
  }

  private func lookUp(_ key: Key) -> Matrix<Float>? {
    kept.withLock { kept in
      kept.uses += 1
      kept.features[key]?.lastUse = kept.uses
      return kept.features[key]?.features
    }
  }

  /// Makes room by dropping what was used longest ago; what is larger than the whole bound is not kept.
  private func keep(_ features: Matrix<Float>, for key: Key) {
    let numbers = features.rows * features.columns
    guard numbers <= maximumNumbers else { return }
    kept.withLock { kept in
      guard kept.features[key] == nil else { return }
      while kept.numbers + numbers > maximumNumbers,
        let oldest = kept.features.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        kept.features[oldest.key] = nil
        kept.numbers -= oldest.value.features.rows * oldest.value.features.columns
      }
      kept.features[key] = (features, kept.uses)
      kept.numbers += numbers
    }
  }
}
