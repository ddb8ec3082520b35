import Adapters
import Artifacts
import Formatting
import Foundation
import TestSupport
import Testing

@testable import Inspection

@Suite("Stability of a selection: rank correlation and overlap over draws of examples and between files")
struct SelectionStabilityTests {
  /// Scores of examples that are given by their `rank1_norm2`; the gates' squares are the same numbers unless given.
  private func scores(
    _ rows: [[Double]], gates: [[Double]]? = nil, layers: Int = 2, base: String = "base"
  ) -> InfluenceScores {
    InfluenceScores(
      layers: layers, kvHeads: rows[0].count / layers, seed: 0, baseDigest: base, dataDigest: "data", shard: .whole,
      examples: rows.indices.map { row in
        ExampleInfluence(
          id: "row-\(row + 100)", rank1Norm2: rows[row],
          gateGradient: gates?[row] ?? rows[row].map { -$0.squareRoot() })
      })
  }

  /// Examples with a common order of heads and much noise.
  private func noisyExamples(_ count: Int) -> [[Double]] {
    (0..<count).map { row in
      (0..<8).map { (head: Int) -> Double in
        let noise = (row * 31 + head * 17) % 23
        return Double(noise + head)
      }
    }
  }

  private func stability(
    _ files: [(file: String, scores: InfluenceScores)], sizes: [Int]? = nil, resamples: Int = 50, seed: UInt64 = 0,
    numHeads: Int = 2
  ) throws -> SelectionStability {
    try SelectionStability(of: files, estimator: .rank1, sizes: sizes, resamples: resamples, seed: seed) {
      .influence(scores: $0, numHeads: numHeads, tau: 0.5)
    }
  }

  /// Worked out: ranks less their middle are (-1.5, 0, 0, 1.5) and (-1.5, 0.5, -0.5, 1.5), so 4.5 / sqrt(4.5 x 5); then
  /// (-0.5, -0.5, -0.5, 1.5) and (1.5, 0.5, -0.5, -1.5), so -3 / sqrt(3 x 5).
  @Test func rankCorrelationWithTies() {
    #expect(abs(rankCorrelation([10, 20, 20, 30], [0, 7, 3, 9]) - 0.9.squareRoot()) < 1e-15)
    #expect(abs(rankCorrelation([1, 1, 1, 2], [4, 3, 2, 1]) + 0.6.squareRoot()) < 1e-15)
    #expect(rankCorrelation([5, 1, 5, 3], [9, -2, 9, 1e-9]) == 1)
    #expect(rankCorrelation([1, 2, 3], [3, 2, 1]) == -1)
    #expect(rankCorrelation([1, 2, 3], [4, 4, 4]) == 0)
  }

  @Test func scoresOfSomeExamplesAreThoseOfAFileOfThem() {
    let rows = noisyExamples(9).map { $0.map { 1 / ($0 + 1) } }
    for estimator in scores(rows).estimators {
      #expect(
        scores(rows).scores(estimator, examples: [1, 4, 8]) == scores([rows[1], rows[4], rows[8]]).scores(estimator))
      #expect(scores(rows).scores(estimator, examples: [3, 3]) == scores([rows[3], rows[3]]).scores(estimator))
    }
  }

  @Test func identicalExamplesAgreeWholly() throws {
    let same = scores(Array(repeating: [0.3, 1.7, 1.7, 0.1, 2, 0.9], count: 20))
    let found = try stability([("a.h5", same)]).files[0]
    #expect(found.sizes.map(\.rows) == [8, 16, 20] && found.sizes.map(\.withReplacement) == [false, false, true])
    #expect(found.halves.rows == 10 && !found.halves.withReplacement)
    for draws in found.sizes + [found.halves] {
      for spread in [draws.correlation, draws.overlap] {
        #expect(spread.mean == 1 && spread.p5 == 1 && spread.p95 == 1)
      }
    }
    #expect(found.estimators.correlation == 1 && found.estimators.overlap == 1)
  }

  /// Two examples of opposite orders: a half is one of them, never the same as the other half.
  @Test func halvesHaveNoCommonExample() throws {
    let found = try stability([("a.h5", scores([[1, 2, 3, 5], [4, 3, 2, 1]]))]).files[0].halves
    #expect(found.rows == 1)
    #expect(found.correlation.mean == -1 && found.correlation.p5 == -1 && found.correlation.p95 == -1)
  }

  /// All examples are drawn with replacement: of two examples, half of the draws are one example twice.
  @Test func allExamplesAreRedrawn() throws {
    let rows: [[Double]] = [[1, 2, 3, 5], [40, 30, 20, 10]]
    let found = try stability([("a.h5", scores(rows))], sizes: [2], resamples: 400).files[0].sizes[0]
    // Agreement with the sum is 1 but where both draws are the first example, a quarter of the draws, and -1 there.
    #expect(abs(found.correlation.mean - 0.5) < 0.1 && found.correlation.p5 == -1 && found.correlation.p95 == 1)
  }

  /// Quantiles as NumPy's: linear between neighbours.
  @Test func spreadOfNumbers() {
    let spread = SelectionStability.Spread([4, 0, 1, 3, 2])
    #expect(spread.mean == 2 && abs(spread.p5 - 0.2) < 1e-15 && abs(spread.p95 - 3.8) < 1e-15)
  }

  /// Budgets of a head a layer: files agree on the first layer's head alone.
  @Test func filesAndEstimatorsAgainstEachOther() throws {
    let none: [Double] = [0, 0, 0, 0]
    let a = (file: "a.h5", scores: scores([[4, 1, 3, 2], none], gates: [[1, 2, 3, 4], none]))
    let b = (file: "b.h5", scores: scores([[4, 1, 2, 3], none]))
    let found = try stability([a, b])
    #expect(found.heads == 4 && found.numHeads == 2 && found.randomOverlap == 0.5)
    #expect(found.pairs.map(\.files) == [["a.h5", "b.h5"]])
    // Ranks 4 1 3 2 and 4 1 2 3: 1 - 6 x (1 + 1) / (4 x 15).
    #expect(abs(found.pairs[0].agreement.correlation - 0.8) < 1e-15 && found.pairs[0].agreement.overlap == 0.5)
    // rank1 chooses heads 0 and 0, gate 1 and 1; ranks 4 1 3 2 and 1 2 3 4: 1 - 6 x (9 + 1 + 4) / 60.
    #expect(abs(found.files[0].estimators.correlation + 0.4) < 1e-15 && found.files[0].estimators.overlap == 0)
    let three = try stability([a, b, (file: "c.h5", scores: b.scores)])
    #expect(three.pairs.map(\.files) == [["a.h5", "b.h5"], ["a.h5", "c.h5"], ["b.h5", "c.h5"]])
    #expect(three.pairs[2].agreement.correlation == 1 && three.pairs[2].agreement.overlap == 1)
  }

  /// The same numbers again, whatever other sizes and files are asked for; others with another seed.
  @Test func drawsFollowFromTheSeed() throws {
    let (a, b) = (("a.h5", scores(noisyExamples(40))), ("b.h5", scores(noisyExamples(30))))
    let found = try stability([a], sizes: [8, 40])
    #expect(try stability([a], sizes: [8, 40]) == found)
    let other = try stability([b, a], sizes: [5, 8])
    #expect(other.files[1].sizes[1] == found.files[0].sizes[0] && other.files[1].halves == found.files[0].halves)
    #expect(try stability([a], sizes: [8, 40], seed: 1).files != found.files)
    #expect(found.files[0].sizes[0].correlation.mean < 1)
  }

  @Test func defaultSizesDoubleUpToAllExamples() {
    #expect(SelectionStability.defaultSizes(rows: 3) == [3])
    #expect(SelectionStability.defaultSizes(rows: 8) == [8])
    #expect(SelectionStability.defaultSizes(rows: 9) == [8, 9])
    #expect(SelectionStability.defaultSizes(rows: 64) == [8, 16, 32, 64])
  }

  @Test func whatCannotBeComparedIsRefusedInOneLine() {
    let rows = noisyExamples(12)
    let first = (file: "a.h5", scores: scores(rows))
    #expect(
      line { _ = try stability([first], sizes: [8, 13]) }
        == "a.h5: too few examples: 12 where 13 are needed; draw fewer or probe more")
    #expect(
      line { _ = try stability([(file: "one.h5", scores: scores([rows[0]]))]) }
        == "one.h5: too few examples: 1 where 2 are needed; draw fewer or probe more")
    for (other, what) in [
      (scores(rows, base: "other"), "base model (base_digest)"), (scores(rows, layers: 4), "number of layers"),
      (scores(rows.map { Array($0.prefix(6)) }), "number of heads"),
    ] {
      #expect(
        line { _ = try stability([first, (file: "b.h5", scores: other)]) }
          == "b.h5: its \(what) is not that of a.h5; compare only scores of one base model")
    }
  }

  @Test func jsonHasTheKeysOfTheDocumentation() throws {
    let file = (file: "a/b.h5", scores: scores(noisyExamples(12)))
    let found = try stability([file, file])
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(try jsonDocument(found).utf8)) as? [String: Any])
    #expect(
      document.keys.sorted() == [
        "estimator", "files", "heads", "method", "num_heads", "pairs", "random_overlap", "resamples", "seed", "tau",
      ])
    let first = try #require((document["files"] as? [[String: Any]])?.first)
    #expect(first.keys.sorted() == ["estimators", "file", "halves", "rows", "sizes"])
    #expect(first["file"] as? String == "a/b.h5")
    let halves = try #require(first["halves"] as? [String: Any])
    #expect(halves.keys.sorted() == ["correlation", "overlap", "rows", "with_replacement"])
    #expect((halves["overlap"] as? [String: Double])?["mean"] == found.files[0].halves.overlap.mean)
    #expect((halves["overlap"] as? [String: Double])?.keys.sorted() == ["mean", "p5", "p95"])
    let pair = try #require((document["pairs"] as? [[String: Any]])?.first)
    #expect(pair["agreement"] as? [String: Double] == ["correlation": 1, "overlap": 1])
  }
}
