// A matrix as a factor of several multiplications in one precision: rounded once, however often it is multiplied.

/// A read-only factor of multiplications in fp32 or bf16; in Double always the numbers themselves.
///
/// Like `StoredMatrix` in bf16, products of two factors have both rounded to bf16 and sums in fp32; without bf16
/// instructions rounded fp32 numbers are multiplied.
package struct GEMMFactor<Element: Scalar> {
  /// The numbers; rounded, where bf16 is emulated.
  private let numbers: Matrix<Element>
  /// Their bf16 bits, where the processor multiplies those.
  private let bits: BFloat16Matrix?
  private let rowRange, columnRange: Range<Int>

  /// - Parameter x: may not change while the factor or a view of it is in use.
  package init(_ x: Matrix<Element>, _ precision: Precision) {
    (rowRange, columnRange) = (0..<x.rows, 0..<x.columns)
    guard precision == .bfloat16, let x32 = x as? Matrix<Float> else {
      (numbers, bits) = (x, nil)
      return
    }
    guard OneDNN.hasBFloat16Instructions else {
      (numbers, bits) = (x.roundedToBFloat16, nil)
      return
    }
    (numbers, bits) = (x, BFloat16Matrix(rounding: x32))
  }

  private init(_ other: GEMMFactor, rows: Range<Int>, columns: Range<Int>) {
    (numbers, bits, rowRange, columnRange) = (other.numbers, other.bits, rows, columns)
  }

  /// A view of consecutive rows.
  package func rows(_ range: Range<Int>) -> GEMMFactor {
    let first = rowRange.lowerBound
    precondition(range.lowerBound >= 0 && range.upperBound <= rowRange.count)
    return GEMMFactor(self, rows: first + range.lowerBound..<first + range.upperBound, columns: columnRange)
  }

  /// A view of consecutive columns.
  package func columns(_ range: Range<Int>) -> GEMMFactor {
    let first = columnRange.lowerBound
    precondition(range.lowerBound >= 0 && range.upperBound <= columnRange.count)
    return GEMMFactor(self, rows: rowRange, columns: first + range.lowerBound..<first + range.upperBound)
  }

  fileprivate var matrix: Matrix<Element> { numbers.rows(rowRange).columns(columnRange) }

  fileprivate var operand: GEMMOperand<UInt16>? {
    bits.map { $0.operand(rows: rowRange, columns: columnRange) }
  }
}

/// `C = op(A) op(B)` (`+ C` when `accumulate`).   op(A) [m, k], op(B) [k, n], C [m, n]
/// - Precondition: the shapes agree; both factors are of one precision; C does not overlap A or B.
package func multiply<Element: Scalar>(
  _ a: GEMMFactor<Element>, _ transposeA: Transpose, _ b: GEMMFactor<Element>, _ transposeB: Transpose,
  into c: Matrix<Element>, accumulate: Bool
) {
  if let left = a.operand, let right = b.operand, let c = c as? Matrix<Float>, c.rows > 0, c.columns > 0,
    left.rows > 0, left.columns > 0
  {
    OneDNN.multiply(left, transposeA, right, transposeB, into: c, accumulate: accumulate)
  } else {
    multiply(a.matrix, transposeA, b.matrix, transposeB, into: c, beta: accumulate ? 1 : 0)
  }
}
