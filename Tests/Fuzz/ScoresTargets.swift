// Influence scores: bytes under a right seal, and sound files of any values.
import Adapters
import Artifacts
import Digests
import Files
import Inspection

extension FuzzTarget {
  static let scores: [FuzzTarget] = [
    sealed(
      "scores-bytes",
      seeds: {
        let path = WorkFolder.path("scores.h5")
        let examples = ["a", "b"].map {
          ExampleInfluence(
            id: $0, rank1Norm2: [1, 2, 3, 4], gateGradient: [0, -1, 2, 1], weightGradientNorm2: [4, 3, 2, 1])
        }
        try InfluenceScores(
          layers: 2, kvHeads: 2, seed: 5, baseDigest: "base", dataDigest: "data", shard: .whole, examples: examples
        ).write(to: path)
        return [Array(try readFile(path, maximumBytes: 1 << 24))]
      }, use: use),
    FuzzTarget(
      name: "scores-values", dictionary: "json", format: .json,
      seeds: {
        let document = #"""
          {"attributes": {"/": {"schema_version": 1, "estimator_seed": 5, "base_digest": "b", "data_digest": "d",
          "rows": 2, "shard": "0/1"}}, "datasets": {
          "/scores/rank1": {"type": "float64", "shape": [2, 2], "values": [2, 4, 6, 8]},
          "/scores/gate": {"type": "float64", "shape": [2, 2], "values": [0.5]},
          "/rows/id": {"type": "string", "shape": [2], "values": ["a", "b"]},
          "/rows/rank1_norm2": {"type": "float64", "shape": [2, 2, 2], "values": [1, 2, 3, 4]},
          "/rows/gate_gradient": {"type": "float64", "shape": [2, 2, 2], "values": [0.5]}}}
          """#
        let hybrid = document.replacing(
          #""/rows/id""#,
          with: #"""
            "/layers/kv_heads": {"type": "int32", "shape": [2], "values": [2, 0]},
            "/layers/value_heads": {"type": "int32", "shape": [2], "values": [0, 1]}, "/rows/id"
            """#)
        let newer = document.replacing(
          #""/rows/id""#,
          with: #"""
            "/scores/fisher": {"type": "float64", "shape": [2, 2], "values": [2, 4, 6, 8]},
            "/rows/weight_gradient_norm2": {"type": "float64", "shape": [2, 2, 2], "values": [1, 2, 3, 4]}, "/rows/id"
            """#)
        let upper = document.replacing(#""rows": 2"#, with: #""rows": 2, "from_layer": 1"#)
          .replacing("[1, 2, 3, 4]", with: "[0, 0, 3, 4]").replacing("[2, 4, 6, 8]", with: "[0, 0, 6, 8]")
          .replacing("[0.5]", with: "[0]")
        return [document, hybrid, newer, upper].map { Array($0.utf8) }
      },
      read: { bytes in
        let path = WorkFolder.path("scores.h5")
        try HDF5Document(JSON(parsing: bytes)).write(to: path)
        try Seal.append(to: path)
        try use(path)
      }),
  ]

  /// Read, merged with itself, described, and heads selected.
  private static func use(_ path: String) throws {
    let scores = try InfluenceScores(reading: path)
    _ = Refusal.allowing { try HDF5Kind(of: path) }
    _ = ScoresDescription(scores, file: path).lines
    let others = scores.examples.map {
      ExampleInfluence(
        id: "other-\($0.id)", rank1Norm2: $0.rank1Norm2, gateGradient: $0.gateGradient,
        weightGradientNorm2: $0.weightGradientNorm2)
    }
    let other = InfluenceScores(
      layers: scores.layers, kvHeads: scores.kvHeads, capacity: scores.capacity, linearLayers: scores.linearLayers,
      fromLayer: scores.fromLayer, seed: scores.seed, baseDigest: scores.baseDigest, dataDigest: scores.dataDigest,
      shard: scores.shard, examples: others)
    try select(scores)
    try select(InfluenceScores.merging([(path, scores), ("other.h5", other)]))
  }

  private static func select(_ scores: InfluenceScores) throws {
    for (estimator, tau) in scores.estimators.flatMap({ estimator in [0, 0.5, 100].map { (estimator, $0) } }) {
      let selection = HeadSelection.influence(
        scores: scores.scores(estimator), numHeads: max(1, scores.layers * scores.kvHeads / 2), tau: tau,
        fromLayer: scores.fromLayer, method: "m")
      require(!selection.adapted.isEmpty, "no head is selected")
      _ = try selection.json()
    }
  }
}
