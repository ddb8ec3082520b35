import Testing

@testable import Tensors

@Suite("Factors of several multiplications")
struct GEMMFactorTests {
  /// Views of odd widths and of all transpositions; products of rounded numbers, sums in fp32.
  @Test(arguments: Precision.allCases, [(false, false), (false, true), (true, false), (true, true)])
  func products(precision: Precision, areTransposed: (a: Bool, b: Bool)) {
    let transposeA: Transpose = areTransposed.a ? .transposed : .asIs
    let transposeB: Transpose = areTransposed.b ? .transposed : .asIs
    var numbers = Numbers()
    let (m, n, k) = (37, 21, 13)
    func viewed(_ rows: Int, _ columns: Int) -> (factor: GEMMFactor<Float>, matrix: Matrix<Float>) {
      let whole = numbers.matrix(rows + 3, columns + 4)
      return (
        GEMMFactor(whole, precision).rows(1..<rows + 2).columns(3..<columns + 3).rows(0..<rows),
        whole.rows(1..<rows + 1).columns(3..<columns + 3)
      )
    }
    let a = transposeA == .asIs ? viewed(m, k) : viewed(k, m)
    let b = transposeB == .asIs ? viewed(k, n) : viewed(n, k)
    func numbersOf(_ x: Matrix<Float>) -> Matrix<Float> { precision == .bfloat16 ? x.roundedToBFloat16 : x }
    for accumulate in [false, true] {
      let c = numbers.matrix(m, n + 5).columns(2..<n + 2)
      let before = c.copy
      multiply(a.factor, transposeA, b.factor, transposeB, into: c, accumulate: accumulate)
      let (left, right) = (numbersOf(a.matrix), numbersOf(b.matrix))
      let expected = (0..<m).flatMap { i in
        (0..<n).map { j in
          (0..<k).reduce(accumulate ? Double(before.row(i)[j]) : 0) { sum, l in
            sum
              + Double(transposeA == .asIs ? left.row(i)[l] : left.row(l)[i])
              * Double(transposeB == .asIs ? right.row(l)[j] : right.row(j)[l])
          }
        }
      }
      #expect(largestDifference(c.values, expected) <= 1e-5)
    }
  }

  /// Rows of some ranges of a view, also where they are neighbours, or none.
  @Test(arguments: Precision.allCases) func ranges(precision: Precision) {
    var numbers = Numbers()
    let (x, unit) = (numbers.matrix(9, 7), Matrix<Float>(zeros: 4, 4))
    for i in 0..<4 { unit.row(i)[i] = 1 }
    let (all, view) = (
      precision == .bfloat16 ? x.roundedToBFloat16 : x, GEMMFactor(x, precision).rows(1..<9).columns(2..<6)
    )
    for ranges in [[0..<3], [0..<3, 3..<5], [0..<2, 4..<4, 5..<8], [6..<8, 1..<2], []] as [[Range<Int>]] {
      let rows = ranges.flatMap { Array($0) }
      let (found, factor) = (Matrix<Float>(zeros: rows.count, 4), view.rows(ranges))
      multiply(factor, .asIs, GEMMFactor(unit, precision), .asIs, into: found, accumulate: false)
      #expect(found.values == rows.flatMap { row in (2..<6).map { all.row(row + 1)[$0] } })
    }
  }

  /// In Double nothing is rounded.
  @Test func doubles() {
    let a = Matrix<Double>([1 + 1e-12, 2, 3, 4], rows: 2, columns: 2)
    let c = Matrix<Double>(zeros: 2, 2)
    let factor = GEMMFactor(a, .bfloat16)
    multiply(factor, .asIs, factor, .transposed, into: c, accumulate: false)
    for (value, expected) in zip(c.values, [5 + 2e-12, 11 + 3e-12, 11 + 3e-12, 25]) {
      #expect(abs(value - expected) < 1e-14)
    }
  }
}
