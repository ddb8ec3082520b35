// Attention in bf16 beside attention in fp32 of the same numbers, rounded before.
import GradientCheck
import Layers
import Testing

@testable import Tensors

@Suite("Attention whose GEMMs are in bf16")
struct RoundedAttentionTests {
  private static let tree = AttentionPattern.causal([
    ([], 0..<5, 5), ([0..<5], 5..<8, 3), ([0..<5], 8..<11, 3), ([0..<5, 8..<11], 11..<13, 2),
    ([0..<5, 8..<11], 13..<15, 2),
  ])
  private let rounded = Attention<Float>(heads: 4, kvHeads: 2, headDimension: 6, precision: .bfloat16)
  private let exact = Attention<Float>(heads: 4, kvHeads: 2, headDimension: 6)

  private func matrix(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Float> {
    var numbers = TestNumbers(seed: seed)
    return Matrix(numbers.matrix(rows, columns).values.map(Float.init), rows: rows, columns: columns).roundedToBFloat16
  }

  /// Only probabilities and the gradients of scores are rounded besides: 8 bits of each.
  @Test(
    "differs from fp32 by the rounding of its factors",
    arguments: [
      (15, tree), (300, AttentionPattern.causal([([], 0..<300, 300)])), (9, .blocks([0..<4, 4..<9])),
    ])
  func differsByRounding(T: Int, pattern: AttentionPattern) {
    let (q, k, v, w) = (
      matrix(T, 24, seed: 1), matrix(T, 12, seed: 2), matrix(T, 12, seed: 3), matrix(T, 24, seed: 4)
    )
    func run(_ layer: Attention<Float>) -> [Matrix<Float>?] {
      let inputs = layer.inputs(q: q, k: k, v: v, pattern: pattern)
      let result = layer.forward(inputs)
      let d = layer.backward(
        w, inputs, queries: 0..<T, logSumExp: result.logSumExp, firstKey: 0, needed: .all)
      return [result.output, d.q, d.k, d.v]
    }
    for (found, expected) in zip(run(rounded), run(exact)) {
      guard let found, let expected else {
        Issue.record("a gradient is missing")
        continue
      }
      let scale = expected.values.map(abs).max() ?? 0
      let difference = zip(found.values, expected.values).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference <= 0x1p-7 * scale && found.values != expected.values)
    }
  }

  /// Keys that few queries see are multiplied as they are.
  @Test func fewQueries() {
    let (q, k, v) = (matrix(2, 24, seed: 1), matrix(9, 12, seed: 2), matrix(9, 12, seed: 3))
    let pattern = AttentionPattern.causal([([], 0..<9, 2)])
    let outputs = [rounded, exact].map { $0.forward($0.inputs(q: q, k: k, v: v, pattern: pattern)).output.values }
    #expect(outputs[0] == outputs[1])
  }

  /// Where keys lie, and how many that no query sees lie between them, changes nothing.
  @Test("keys of a cache", arguments: Precision.allCases) func cachedKeys(precision: Precision) {
    let layer = Attention<Float>(heads: 4, kvHeads: 2, headDimension: 6, precision: precision)
    let (q, k, v) = (matrix(7, 24, seed: 1), matrix(9, 12, seed: 2), matrix(9, 12, seed: 3))
    // A prefix of four, whose first two are known, and two branches.
    let together = layer.inputs(
      q: q, k: k, v: v, pattern: .causal([([], 0..<4, 2), ([0..<4], 4..<7, 3), ([0..<4], 7..<9, 2)]))
    let places = [20, 21, 22, 23, 30, 31, 32, 40, 41]
    let (cachedK, cachedV) = (matrix(200, 12, seed: 4), matrix(200, 12, seed: 5))
    for (row, place) in places.enumerated() {
      cachedK.rows(place..<place + 1).assign(k.rows(row..<row + 1))
      cachedV.rows(place..<place + 1).assign(v.rows(row..<row + 1))
    }
    let cached = layer.inputs(
      q: q, k: cachedK, v: cachedV,
      pattern: .causal([([], 20..<24, 2), ([20..<24], 30..<33, 3), ([20..<24], 40..<42, 2)]))
    let results = [together, cached].map(layer.forward)
    #expect(results[0].output.values == results[1].output.values)
    #expect(results[0].logSumExp.values == results[1].logSumExp.values)
    #expect(precision == .float32 || cached.byteCount == together.byteCount)
  }

  /// The inputs of some queries, and those queries of all inputs, have the same gradients.
  @Test("some of the queries", arguments: Precision.allCases) func someQueries(precision: Precision) {
    let layer = Attention<Float>(heads: 4, kvHeads: 2, headDimension: 6, precision: precision)
    let inputs = layer.inputs(
      q: matrix(15, 24, seed: 1), k: matrix(15, 12, seed: 2), v: matrix(15, 12, seed: 3), pattern: Self.tree)
    let (w, all, rows) = (matrix(9, 24, seed: 4), layer.forward(inputs), 6..<15)
    let some = inputs.gathering(
      queries: Array(rows), keys: Array(0..<15), pattern: Self.tree.selecting(Array(rows)))
    let results = [(inputs, rows), (some, 0..<9)].map { inputs, queries in
      layer.backward(w, inputs, queries: queries, logSumExp: all.logSumExp.rows(rows), firstKey: 2, needed: .all)
    }
    #expect(results[0].q?.values == results[1].q?.values && results[0].q != nil)
    #expect(results[0].k?.values == results[1].k?.values && results[0].v.values == results[1].v.values)
  }
}
