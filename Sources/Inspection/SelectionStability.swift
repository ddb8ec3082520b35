// How far chosen heads depend on what was probed: fewer examples, other examples, the other estimator, another file.
import Adapters
import Artifacts
import RandomNumbers

/// How alike two selections and their scores are.
package struct SelectionAgreement: Sendable, Equatable, Encodable {
  /// Spearman's rank correlation of all heads' scores, from -1 to 1.
  package let correlation: Double
  /// Share of the chosen KV heads that both chose, from 0 to 1.
  package let overlap: Double

  /// - Precondition: both choose as many heads, at least one, from scores of one shape.
  /// - Parameter fromLayer: the lowest layer that has scores.
  package init(_ a: HeadSelection, _ b: HeadSelection, fromLayer: Int = 0) {
    precondition(a.numHeads > 0 && a.numHeads == b.numHeads && a.capacity == b.capacity)
    let shared = zip(a.kvIndices, b.kvIndices).reduce(0) { $0 + Set($1.0).intersection($1.1).count }
    correlation = rankCorrelation(
      a.scores.dropFirst(fromLayer).flatMap(\.self), b.scores.dropFirst(fromLayer).flatMap(\.self))
    overlap = Double(shared) / Double(a.numHeads)
  }
}

/// How stable a selection from some scores files is: agreements over draws of their examples, and between the files.
package struct SelectionStability: Sendable, Equatable, Encodable {
  /// As `HeadSelection.method`.
  package let method: String
  package let estimator: Estimator
  /// KV heads that a selection chooses, and that there are over all layers.
  package let numHeads, heads: Int
  package let tau: Double
  /// The overlap that a random choice of as many heads has on average.
  package let randomOverlap: Double
  /// How many draws each of the `Draws` has, and the seed of their examples.
  package let resamples: Int
  package let seed: UInt64
  package let files: [File]
  /// Every two of the files, in their order.
  package let pairs: [Pair]

  /// One file's examples against each other.
  package struct File: Sendable, Equatable, Encodable {
    package let file: String
    package let rows: Int
    /// Draws of each size against all examples.
    package let sizes: [Draws]
    /// Two halves without a common example against each other; of an odd number of examples one is in neither.
    package let halves: Draws
    /// The two estimators' choices from all examples.
    package let estimators: SelectionAgreement
  }

  /// All examples of one file against all examples of another.
  package struct Pair: Sendable, Equatable, Encodable {
    package let files: [String]
    package let agreement: SelectionAgreement
  }

  /// Agreements over draws of as many examples each.
  package struct Draws: Sendable, Equatable, Encodable {
    package let rows: Int
    /// Whether a draw may hold an example more than once.
    package let withReplacement: Bool
    package let correlation, overlap: Spread

    init(rows: Int, withReplacement: Bool = false, _ agreements: [SelectionAgreement]) {
      (self.rows, self.withReplacement) = (rows, withReplacement)
      (correlation, overlap) = (Spread(agreements.map(\.correlation)), Spread(agreements.map(\.overlap)))
    }
  }

  /// Mean of some draws and the range of their middle nine tenths.
  package struct Spread: Sendable, Equatable, Encodable {
    /// `p5` and `p95` are quantiles, linear between neighbouring draws.
    package let mean, p5, p95: Double

    init(_ values: [Double]) {
      let sorted = values.sorted()
      func quantile(_ share: Double) -> Double {
        let place = share * Double(sorted.count - 1)
        let (below, above) = (sorted[Int(place)], sorted[Int(place.rounded(.up))])
        return below + (above - below) * (place - place.rounded(.down))
      }
      mean = values.reduce(0, +) / Double(values.count)
      (p5, p95) = (quantile(0.05), quantile(0.95))
    }
  }

  /// Why files cannot be compared.
  package enum ComparisonError: Error, Equatable, CustomStringConvertible {
    case different(what: String, file: String, first: String)
    case tooFewExamples(file: String, examples: Int, needed: Int)

    package var description: String {
      switch self {
      case .different(let what, let file, let first):
        "\(file): its \(what) is not that of \(first); compare only scores of one base model"
      case .tooFewExamples(let file, let examples, let needed):
        "\(file): too few examples: \(examples) where \(needed) are needed; draw fewer or probe more"
      }
    }
  }

  /// Draws examples and compares; the draws of a size depend on nothing but the seed, the size and the number of
  /// examples.
  /// - Parameters:
  ///   - files: scores, and the files they come from for messages.
  ///   - sizes: examples of a draw: fewer than a file has without replacement, all of them with (bootstrap); nil is
  ///     `defaultSizes`.
  ///   - select: the choice from scores `[L][Hkv]`.
  /// - Precondition: at least one file, one draw and one example a draw.
  /// - Throws: `ComparisonError` for files of several base models or shapes, or with fewer examples than a draw or two.
  package init(
    of files: [(file: String, scores: InfluenceScores)], estimator: Estimator, sizes: [Int]? = nil, resamples: Int,
    seed: UInt64, selecting select: ([[Double]]) -> HeadSelection
  ) throws {
    precondition(!files.isEmpty && resamples > 0 && sizes?.allSatisfy { $0 > 0 } ?? true)
    try Self.requireComparable(files, examples: max(2, sizes?.max() ?? 2))
    let wholes = files.map { select($0.scores.scores(estimator)) }
    method = wholes[0].method
    (self.estimator, numHeads, tau) = (estimator, wholes[0].numHeads, wholes[0].tau)
    let fromLayer = files[0].scores.fromLayer
    heads = files[0].scores.capacity.dropFirst(fromLayer).reduce(0, +)
    randomOverlap = Double(numHeads) / Double(heads)
    (self.resamples, self.seed) = (resamples, seed)

    self.files = zip(files, wholes).map { entry, whole in
      let (scores, all) = (entry.scores, entry.scores.examples.count)
      func selection(_ examples: [Int]) -> HeadSelection { select(scores.scores(estimator, examples: examples)) }
      /// Stream 0 is the halves', stream n that of draws of n examples.
      func draws(stream: Int, _ agreement: (inout SplitMix64) -> SelectionAgreement) -> [SelectionAgreement] {
        var generator = SplitMix64(seed: seed, stream: UInt64(stream))
        return (0..<resamples).map { _ in agreement(&generator) }
      }
      return File(
        file: entry.file, rows: all,
        sizes: (sizes ?? Self.defaultSizes(rows: all)).map { size in
          Draws(
            rows: size, withReplacement: size == all,
            draws(stream: size) { generator in
              let drawn = size == all ? generator.redrawn(all) : Array(generator.shuffled(all).prefix(size))
              return SelectionAgreement(selection(drawn.sorted()), whole, fromLayer: fromLayer)
            })
        },
        halves: Draws(
          rows: all / 2,
          draws(stream: 0) { generator in
            let drawn = generator.shuffled(all)
            return SelectionAgreement(
              selection(drawn.prefix(all / 2).sorted()), selection(drawn.suffix(all / 2).sorted()),
              fromLayer: fromLayer)
          }),
        estimators: SelectionAgreement(
          select(scores.scores(.rank1)), select(scores.scores(.gate)), fromLayer: fromLayer))
    }
    pairs = files.indices.flatMap { i in
      files.indices.dropFirst(i + 1).map { j in
        Pair(
          files: [files[i].file, files[j].file],
          agreement: SelectionAgreement(wholes[i], wholes[j], fromLayer: fromLayer))
      }
    }
  }

  /// 8, 16, 32, ... below the number of examples, and that number.
  package static func defaultSizes(rows: Int) -> [Int] {
    Array(sequence(first: 8) { $0 * 2 }.prefix { $0 < rows }) + [rows]
  }

  private static func requireComparable(_ files: [(file: String, scores: InfluenceScores)], examples: Int) throws {
    for (file, scores) in files {
      func agree<T: Equatable>(_ what: String, _ key: KeyPath<InfluenceScores, T>) throws {
        guard scores[keyPath: key] == files[0].scores[keyPath: key] else {
          throw ComparisonError.different(what: what, file: file, first: files[0].file)
        }
      }
      try agree("base model (base_digest)", \.baseDigest)
      try agree("number of layers", \.layers)
      try agree("number of heads", \.kvHeads)
      try agree("number of heads of a layer", \.capacity)
      try agree("kind of heads", \.linearLayers)
      try agree("lowest layer (from_layer)", \.fromLayer)
      guard scores.examples.count >= examples else {
        throw ComparisonError.tooFewExamples(file: file, examples: scores.examples.count, needed: examples)
      }
    }
  }
}

extension SplitMix64 {
  /// `0..<count` in a random order.
  fileprivate mutating func shuffled(_ count: Int) -> [Int] {
    var indices = Array(0..<count)
    shuffle(&indices)
    return indices
  }

  /// `count` of `0..<count`, each drawn from all of them.
  fileprivate mutating func redrawn(_ count: Int) -> [Int] { (0..<count).map { _ in next(below: count) } }
}

/// Spearman's rank correlation, ties at their mean rank; 0 where all values of one side are equal and so rank nothing.
func rankCorrelation(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count)
  let (a, b) = (centredRanks(a), centredRanks(b))
  func product(_ x: [Int], _ y: [Int]) -> Double { Double(zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }) }
  let scale = (product(a, a) * product(b, b)).squareRoot()
  return scale > 0 ? product(a, b) / scale : 0
}

/// Twice every value's mean rank less twice the middle one: integers, so that their sums are exact.
private func centredRanks(_ values: [Double]) -> [Int] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Int](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    let end = order[start...].firstIndex { values[$0] > values[order[start]] } ?? order.count
    for index in order[start..<end] { ranks[index] = start + end - values.count }
    start = end
  }
  return ranks
}

extension Estimator: Encodable {}
