// What a scores file holds.
import Adapters
import Artifacts
import Formatting

/// What `imagelora inspect` and `scores show` give of a scores file; `lines` for people, the properties for programs.
package struct ScoresDescription: Encodable, Equatable {
  package struct Head: Encodable, Equatable {
    let layer, head: Int
    let score: Double
  }

  let file: String
  let rows, layers, kvHeads: Int
  /// How many heads each layer has, and the layers whose heads are value heads of linear attention.
  let headsByLayer, linearLayers: [Int]
  /// The lowest layer that was probed.
  let fromLayer: Int
  let shard: String
  let seed: UInt64
  let baseDigest, dataDigest: String
  /// Scores `[L][Hkv]` by estimator.
  let scores: [String: [[Double]]]

  package init(_ scores: InfluenceScores, file: String) {
    self.file = file
    (rows, layers, kvHeads) = (scores.examples.count, scores.layers, scores.kvHeads)
    (headsByLayer, linearLayers) = (scores.capacity, scores.linearLayers)
    fromLayer = scores.fromLayer
    (shard, seed) = (scores.shard.description, scores.seed)
    (baseDigest, dataDigest) = (scores.baseDigest, scores.dataDigest)
    self.scores = Dictionary(uniqueKeysWithValues: scores.estimators.map { ($0.rawValue, scores.scores($0)) })
  }

  /// The heads of highest score.
  private func highest(_ estimator: Estimator, count: Int) -> [Head] {
    let heads = (scores[estimator.rawValue] ?? []).enumerated().dropFirst(fromLayer).flatMap { layer, heads in
      heads.enumerated().map { Head(layer: layer, head: $0, score: $1) }
    }
    return Array(heads.sorted { $0.score > $1.score }.prefix(count))
  }

  private var headWords: String {
    let words = ValueHeads(capacity: headsByLayer, linear: linearLayers).words
    let probed = headsByLayer.dropFirst(fromLayer)
    let from = fromLayer > 0 ? ", those from layer \(fromLayer) on" : ""
    return Set(headsByLayer).count == 1
      ? "\(probed.count) layers of \(kvHeads) \(words)\(from)"
      : "\(probed.reduce(0, +)) \(words) in \(probed.count { $0 > 0 }) of \(layers) layers\(from)"
  }

  package var lines: [String] {
    [
      "scores          \(file)",
      "checksum        valid (Fletcher-32 of every dataset; sums agree with examples)",
      "examples        \(rows), shard \(shard), seed \(seed)",
      "heads           \(headWords)",
      "base            \(baseDigest)",
      "data            \(dataDigest)",
    ]
      + Estimator.allCases.filter { scores[$0.rawValue] != nil }.map { estimator in
        let list = highest(estimator, count: 8).map { "\($0.layer)[\($0.head)] \(significant($0.score, digits: 3))" }
        return "highest         \(estimator.rawValue): \(list.joined(separator: ", "))"
      }
  }
}
