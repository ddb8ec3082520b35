// Influence of every head, example by example: any shard or rank count, any order of merging, the same bits.
import Adapters
import Files
import Foundation

/// One example's influence on all heads, flat `[L, Hkv]`.
package struct ExampleInfluence: Sendable, Equatable, Codable {
  package var id: String
  /// `|| dL_i / dB_l,h ||^2`
  package var rank1Norm2: [Double]
  /// `dL_i / dg_l,h`
  package var gateGradient: [Double]
  /// `|| dL_i / dW_l,h ||^2`; nil in files of versions before 0.3.0.
  package var weightGradientNorm2: [Double]?

  package init(id: String, rank1Norm2: [Double], gateGradient: [Double], weightGradientNorm2: [Double]? = nil) {
    (self.id, self.rank1Norm2, self.gateGradient) = (id, rank1Norm2, gateGradient)
    self.weightGradientNorm2 = weightGradientNorm2
  }
}

/// Which part of a probe's examples a file holds.
package struct Shard: Sendable, Equatable, CustomStringConvertible {
  /// Parts held, ascending, of `count`.
  package var indices: [Int]
  package var count: Int

  /// All examples of the probe.
  package static let whole = Shard(indices: [0], count: 1)

  package init(indices: [Int], count: Int) { (self.indices, self.count) = (indices, count) }

  /// Parses "i/n" or "i,j/n" with 0 <= i < n; nil if it is anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Int(parts[1]), count > 0 else { return nil }
    let indices = parts[0].split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard indices.allSatisfy({ $0.map { (0..<count).contains($0) } ?? false }) else { return nil }
    self.init(indices: Set(indices.compactMap(\.self)).sorted(), count: count)
  }

  package var description: String { indices.map(String.init).joined(separator: ",") + "/\(count)" }
}

/// The influence of all heads on the examples of a probe.
package struct InfluenceScores: Sendable, Equatable {
  package static let schemaVersion = 1

  package let layers, kvHeads: Int
  /// Heads of each layer, at most `kvHeads`: those of the kind that was probed.
  package let capacity: [Int]
  /// Layers whose heads are value heads of linear attention, ascending; those of the others are KV heads.
  package let linearLayers: [Int]
  /// The lowest layer that was probed: the terms of those below are 0, and say nothing.
  package let fromLayer: Int
  /// Seed of the rank-1 probe's projections.
  package let seed: UInt64
  package let baseDigest, dataDigest: String
  package let shard: Shard
  /// Ascending by id, compared as UTF-8, so that sums do not depend on which rank computed which example.
  package let examples: [ExampleInfluence]
  /// Those that the examples have terms of.
  package let estimators: [Estimator]

  /// - Parameter capacity: nil: every layer has `kvHeads`.
  package init(
    layers: Int, kvHeads: Int, capacity: [Int]? = nil, linearLayers: [Int] = [], fromLayer: Int = 0, seed: UInt64,
    baseDigest: String, dataDigest: String, shard: Shard, examples: [ExampleInfluence]
  ) {
    let heads = layers * kvHeads
    precondition(
      examples.allSatisfy {
        $0.rank1Norm2.count == heads && $0.gateGradient.count == heads
          && $0.weightGradientNorm2?.count ?? heads == heads
      })
    let hasFisher = examples.allSatisfy { $0.weightGradientNorm2 != nil }
    estimators = Estimator.allCases.filter { $0 != .fisher || hasFisher }
    (self.layers, self.kvHeads, self.seed, self.shard) = (layers, kvHeads, seed, shard)
    self.capacity = capacity ?? Array(repeating: kvHeads, count: layers)
    precondition(self.capacity.count == layers && self.capacity.allSatisfy { (0...kvHeads).contains($0) })
    precondition((0..<layers).contains(fromLayer))
    (self.linearLayers, self.fromLayer) = (linearLayers, fromLayer)
    (self.baseDigest, self.dataDigest) = (baseDigest, dataDigest)
    self.examples = examples.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
  }

  /// The kind of all heads.
  package var kind: ValueHeads { ValueHeads(capacity: capacity, linear: linearLayers) }

  /// How many heads were probed, as "24 KV heads from layer 12 on".
  package var probedWords: String {
    "\(capacity.dropFirst(fromLayer).reduce(0, +)) \(kind.words)" + (fromLayer > 0 ? " from layer \(fromLayer) on" : "")
  }

  /// The estimator that selections are made by unless another is asked for: `fisher`, or `rank1` in older files.
  package var usualEstimator: Estimator { estimators[0] }

  /// Scores of each layer's heads: the terms of the examples, added in the order of ids.
  /// - Precondition: one of `estimators`.
  package func scores(_ estimator: Estimator) -> [[Double]] { scores(estimator, examples: examples.indices) }

  /// Scores of each layer's heads from some examples: terms added in the order given, those of an
  /// example once for each time that it is named.
  /// - Precondition: indices of `rows`.
  package func scores(_ estimator: Estimator, examples indices: some Sequence<Int>) -> [[Double]] {
    let sums = sums(estimator, examples: indices)
    return capacity.enumerated().map { layer, heads in Array(sums[layer * kvHeads..<layer * kvHeads + heads]) }
  }

  /// The same with a place for every head that a layer could have, flat `[L, Hkv]`.
  func sums(_ estimator: Estimator, examples indices: some Sequence<Int>) -> [Double] {
    precondition(estimators.contains(estimator), "the examples have no terms of this estimator")
    var sums = [Double](repeating: 0, count: layers * kvHeads)
    for example in indices.lazy.map({ examples[$0] }) {
      for i in sums.indices {
        switch estimator {
        case .fisher: sums[i] += example.weightGradientNorm2?[i] ?? .nan
        case .rank1: sums[i] += example.rank1Norm2[i]
        case .gate: sums[i] += example.gateGradient[i] * example.gateGradient[i]
        }
      }
    }
    return sums
  }

  /// Why files cannot be merged.
  package enum MergeError: Error, Equatable, CustomStringConvertible {
    case nothing
    case different(what: String, file: String, first: String)
    case exampleTwice(id: String, files: [String])
    case notFinite(files: [String])

    package var description: String { oneLine(words) }

    private var words: String {
      switch self {
      case .nothing: "nothing to merge; name at least one scores file"
      case .different(let what, let file, let first):
        "\(file): its \(what) is not that of \(first); merge only shards of one probe"
      case .exampleTwice(let id, let files):
        "\(files.joined(separator: " and ")): both hold example \(id); name each shard once"
      case .notFinite(let files):
        "\(files.joined(separator: " and ")): their scores add up to more than a number holds; probe again"
      }
    }
  }

  /// Joins shards of one probe; the result does not depend on their order or number.
  /// - Parameter shards: scores, and the files they come from for messages.
  /// - Throws: `MergeError`.
  package static func merging(_ shards: [(file: String, scores: InfluenceScores)]) throws -> InfluenceScores {
    guard let first = shards.first else { throw MergeError.nothing }
    for shard in shards {
      func agree<T: Equatable>(_ what: String, _ key: KeyPath<InfluenceScores, T>) throws {
        guard shard.scores[keyPath: key] == first.scores[keyPath: key] else {
          throw MergeError.different(what: what, file: shard.file, first: first.file)
        }
      }
      try agree("base model (base_digest)", \.baseDigest)
      try agree("data (data_digest)", \.dataDigest)
      try agree("seed (estimator_seed)", \.seed)
      try agree("number of layers", \.layers)
      try agree("number of heads", \.kvHeads)
      try agree("number of heads of a layer", \.capacity)
      try agree("kind of heads", \.linearLayers)
      try agree("lowest layer (from_layer)", \.fromLayer)
      try agree("number of shards", \.shard.count)
      try agree("list of estimators", \.estimators)
    }
    var holders: [ExactString: String] = [:]
    for shard in shards {
      for example in shard.scores.examples {
        if let other = holders.updateValue(shard.file, forKey: ExactString(example.id)) {
          throw MergeError.exampleTwice(id: example.id, files: [other, shard.file])
        }
      }
    }
    let (scores, count) = (first.scores, first.scores.shard.count)
    let indices = Set(shards.flatMap(\.scores.shard.indices)).sorted()
    let merged = InfluenceScores(
      layers: scores.layers, kvHeads: scores.kvHeads, capacity: scores.capacity, linearLayers: scores.linearLayers,
      fromLayer: scores.fromLayer, seed: scores.seed, baseDigest: scores.baseDigest, dataDigest: scores.dataDigest,
      shard: indices.count == count ? .whole : Shard(indices: indices, count: count),
      examples: shards.flatMap(\.scores.examples))
    // As in a file: heads are selected by shares of the sum.
    guard merged.estimators.allSatisfy({ merged.scores($0).joined().reduce(0, +).isFinite }) else {
      throw MergeError.notFinite(files: shards.map(\.file))
    }
    return merged
  }
}
