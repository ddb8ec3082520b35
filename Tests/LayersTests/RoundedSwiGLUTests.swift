// What is rounded while it is computed has the bits of what is computed first and rounded then.
import GradientCheck
import Layers
import Testing

@testable import Tensors

@Suite("SwiGLU with its results rounded in the same pass")
struct RoundedSwiGLUTests {
  private let (gate, up, dy): (Matrix<Float>, Matrix<Float>, Matrix<Float>)

  init() {
    var numbers = TestNumbers(seed: 11)
    func matrix() -> Matrix<Float> {
      let numbers = numbers.matrix(7, 33)
      return Matrix(numbers.values.map { Float($0) * 3 }, rows: 7, columns: 33)
    }
    (gate, up, dy) = (matrix(), matrix(), matrix())
  }

  /// A factor's numbers, by a product with the unit matrix.
  private func numbers(_ factor: GEMMFactor<Float>, _ precision: Precision) -> [Float] {
    let unit = Matrix<Float>(zeros: 33, 33)
    for i in 0..<33 { unit.row(i)[i] = 1 }
    let product = Matrix<Float>(uninitialized: factor.rows, 33)
    multiply(factor, .asIs, GEMMFactor(unit, precision), .asIs, into: product, accumulate: false)
    return product.values
  }

  @Test(arguments: Precision.allCases) func forward(precision: Precision) throws {
    let (y, kept) = SwiGLU.forward(gate: gate, up: up, precision, keeping: true)
    let (keptGate, keptUp) = try #require(kept)
    let expected = SwiGLU.forward(gate: gate, up: up)
    #expect(numbers(y, precision) == (precision == .bfloat16 ? expected.roundedToBFloat16 : expected).values)
    for (kept, x) in [(keptGate, gate), (keptUp, up)] {
      #expect(kept.rows(0..<7).values == KeptMatrix(x, precision).rows(0..<7).values)
    }
    let alone = SwiGLU.forward(gate: gate, up: up, precision, keeping: false)
    #expect(alone.kept == nil && numbers(alone.y, precision) == numbers(y, precision))
  }

  @Test(arguments: Precision.allCases, [0..<7, 2..<6]) func backward(precision: Precision, rows: Range<Int>) {
    let (keptGate, keptUp) = (KeptMatrix(gate, precision), KeptMatrix(up, precision))
    let own = dy.rows(rows)
    let found = SwiGLU.backward(own, gate: keptGate, up: keptUp, rows: rows, precision)
    let expected = SwiGLU.backward(own, gate: keptGate.rows(rows), up: keptUp.rows(rows))
    for (factor, x) in [(found.gate, expected.gate), (found.up, expected.up)] {
      #expect(numbers(factor, precision) == (precision == .bfloat16 ? x.roundedToBFloat16 : x).values)
    }
    let chosen = Array(rows.reversed())
    let gathered = SwiGLU.backward(
      own, gate: keptGate.gathering(chosen), up: keptUp.gathering(chosen), rows: 0..<rows.count, precision)
    let reversed = SwiGLU.backward(
      own, gate: keptGate.rows(0..<7).gathering(chosen), up: keptUp.rows(0..<7).gathering(chosen))
    #expect(
      numbers(gathered.up, precision) == (precision == .bfloat16 ? reversed.up.roundedToBFloat16 : reversed.up).values)
  }
}
