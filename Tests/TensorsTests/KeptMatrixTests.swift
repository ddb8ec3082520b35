// What is kept for later: as it is, or rounded to bf16.
import Testing

@testable import Tensors

@Suite("Matrices that are kept")
struct KeptMatrixTests {
  private let x = Matrix<Float>((0..<21).map { Float($0) * 1.001 - 7 }, rows: 3, columns: 7)

  @Test("in fp32 the same memory") func asTheyAre() {
    let kept = KeptMatrix(x, .float32)
    #expect(kept.rows(0..<3).base == x.base && kept.byteCount == 3 * 7 * 4)
  }

  @Test("in bf16 each number rounded to nearest, in half the bytes; parts of it alike") func rounded() {
    let kept = KeptMatrix(x, .bfloat16)
    // A row of an odd number of columns has one more.
    #expect(kept.byteCount == 3 * 8 * 2)
    let expected = x.values.map { Float(bitPattern: UInt32($0.bfloat16) << 16) }
    #expect(kept.rows(0..<3).values == expected && kept.rows(0..<3).values != x.values)
    let part = kept.part(rows: 1..<3, columns: 3..<5)
    #expect(part.values == [10, 11, 17, 18].map { expected[$0] })
    let target = Matrix<Float>(zeros: 2, 9)
    kept.copy(rows: 0..<1, columns: 0..<7, to: target.rows(1..<2).columns(2..<9))
    #expect(target.values == [Float](repeating: 0, count: 11) + expected[0..<7])
  }

  @Test("chosen rows, in their order", arguments: [Precision.float32, .bfloat16]) func gathering(precision: Precision) {
    let kept = KeptMatrix(x, precision)
    let chosen = kept.gathering([2, 0, 2])
    #expect(chosen.rows == 3 && chosen.columns == 7)
    #expect(chosen.rows(0..<3).values == [2, 0, 2].flatMap { kept.rows($0..<$0 + 1).values })
    #expect(
      chosen.part(rows: 1..<3, columns: 2..<4).values
        == [0, 2].flatMap {
          kept.part(rows: $0..<$0 + 1, columns: 2..<4).values
        })
  }

  @Test("parts as factors, with rows that are several of the factor's", arguments: Precision.allCases)
  func factors(precision: Precision) {
    let x = Matrix<Float>((0..<36).map { Float($0) * 1.001 - 7 }, rows: 3, columns: 12)
    let (all, unit) = (KeptMatrix(x, precision), Matrix<Float>(zeros: 4, 4))
    for i in 0..<4 { unit.row(i)[i] = 1 }
    for kept in [all, all.gathering([2, 0, 1])] {
      for (columns, rows) in [(0..<12, 6), (4..<12, 4), (8..<12, 2)] {
        let factor = kept.factor(rows: 1..<3, columns: columns, rowLength: 4)
        #expect(factor.rows == rows)
        let found = Matrix<Float>(uninitialized: rows, 4)
        multiply(factor, .asIs, GEMMFactor(unit, precision), .asIs, into: found, accumulate: false)
        #expect(found.values == kept.part(rows: 1..<3, columns: columns).values)
      }
    }
  }

  @Test("in Double as it is in any precision") func double() {
    let x = Matrix<Double>([1, 0.1, 2, 0.2], rows: 2, columns: 2)
    #expect(KeptMatrix(x, .bfloat16).rows(0..<2).base == x.base)
  }
}
