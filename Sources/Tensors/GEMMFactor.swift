// A matrix as a factor of several multiplications in one precision: rounded once, however often it is multiplied.

/// A read-only factor of multiplications in fp32 or bf16; in Double always the numbers themselves.
///
/// Like `StoredMatrix` in bf16, products of two factors have both rounded to bf16 and sums in fp32; without bf16
/// instructions rounded fp32 numbers are multiplied.
package struct GEMMFactor<Element: Scalar> {
  private enum Numbers {
    /// Rounded where bf16 is emulated.
    case asTheyAre(Matrix<Element>)
    /// For a processor that multiplies bf16.
    case rounded(BFloat16Matrix)
  }

  private let numbers: Numbers
  private let rowRange, columnRange: Range<Int>

  /// - Parameter x: may not change while the factor or a view of it is in use.
  package init(_ x: Matrix<Element>, _ precision: Precision) {
    (rowRange, columnRange) = (0..<x.rows, 0..<x.columns)
    numbers =
      if precision == .bfloat16, let x32 = x as? Matrix<Float> {
        OneDNN.hasBFloat16Instructions ? .rounded(BFloat16Matrix(rounding: x32)) : .asTheyAre(x.roundedToBFloat16)
      } else {
        .asTheyAre(x)
      }
  }

  /// A factor of shorter rows: those of x are several, without gaps.   x [R, n C] -> [R n, C], C even
  package init(_ x: Matrix<Element>, _ precision: Precision, rowLength: Int) {
    let rows = x.rows * (x.columns / rowLength)
    if precision == .bfloat16, let x32 = x as? Matrix<Float>, OneDNN.hasBFloat16Instructions {
      self.init(BFloat16Matrix(rounding: x32).reshaped(rows: rows, columns: rowLength))
    } else {
      self.init(x.columns == rowLength ? x : x.copy.reshaped(rows: rows, columns: rowLength), precision)
    }
  }

  /// A factor whose rows are written first, each before it is rounded, while it is in cache.
  /// - Parameters:
  ///   - x: as above.
  ///   - prepare: writes the row of that index in x; called for each, ascending.
  package init(_ x: Matrix<Element>, _ precision: Precision, prepare: (Int) -> Void) {
    if precision == .bfloat16, let x32 = x as? Matrix<Float>, OneDNN.hasBFloat16Instructions {
      self.init(BFloat16Matrix(rounding: x32, prepare: prepare))
    } else {
      for row in 0..<x.rows { prepare(row) }
      self.init(x, precision)
    }
  }

  /// Numbers that are rounded already.
  /// - Precondition: Element is Float.
  package init(_ x: BFloat16Matrix) {
    (rowRange, columnRange) = (0..<x.rows, 0..<x.columns)
    numbers =
      if !OneDNN.hasBFloat16Instructions, let whole = x.numbers as? Matrix<Element> {
        .asTheyAre(whole)
      } else {
        .rounded(x)
      }
  }

  private init(_ other: GEMMFactor, rows: Range<Int>, columns: Range<Int>) {
    (numbers, rowRange, columnRange) = (other.numbers, rows, columns)
  }

  package var rows: Int { rowRange.count }

  /// A view of consecutive rows.
  package func rows(_ range: Range<Int>) -> GEMMFactor {
    let first = rowRange.lowerBound
    precondition(range.lowerBound >= 0 && range.upperBound <= rowRange.count)
    return GEMMFactor(self, rows: first + range.lowerBound..<first + range.upperBound, columns: columnRange)
  }

  /// The rows of some ranges, one after the other; a view where they are one.
  package func rows(_ ranges: [Range<Int>]) -> GEMMFactor {
    let joined = ranges.joinedNeighbours
    if joined.count <= 1 { return rows(joined.first ?? 0..<0) }
    precondition(joined.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= rows })
    let parts = joined.map { rowRange.lowerBound + $0.lowerBound..<rowRange.lowerBound + $0.upperBound }
    return switch numbers {
    case .asTheyAre(let x): GEMMFactor(.joining(parts.map { x.rows($0).columns(columnRange) }), .float32)
    case .rounded(let x): GEMMFactor(x.gathering(rows: Array(parts.joined()), columns: columnRange))
    }
  }

  /// A view of consecutive columns.
  package func columns(_ range: Range<Int>) -> GEMMFactor {
    let first = columnRange.lowerBound
    precondition(range.lowerBound >= 0 && range.upperBound <= columnRange.count)
    return GEMMFactor(self, rows: rowRange, columns: first + range.lowerBound..<first + range.upperBound)
  }

  /// The numbers as fp32 or Double; nil where they are bits.
  var matrix: Matrix<Element>? {
    guard case .asTheyAre(let x) = numbers else { return nil }
    return x.rows(rowRange).columns(columnRange)
  }

  /// The bits, for as long as the factor lives.
  var operand: GEMMOperand<UInt16>? {
    guard case .rounded(let x) = numbers else { return nil }
    return x.operand(rows: rowRange, columns: columnRange)
  }
}

/// `C = op(A) op(B)` (`+ C` when `accumulate`).   op(A) [m, k], op(B) [k, n], C [m, n]
/// - Precondition: the shapes agree; both factors are of one precision; C does not overlap A or B.
package func multiply<Element: Scalar>(
  _ a: GEMMFactor<Element>, _ transposeA: Transpose, _ b: GEMMFactor<Element>, _ transposeB: Transpose,
  into c: Matrix<Element>, accumulate: Bool
) {
  if let left = a.operand, let right = b.operand, let c = c as? Matrix<Float> {
    if c.rows == 0 || c.columns == 0 { return }
    if (transposeA == .asIs ? left.columns : left.rows) > 0 {
      OneDNN.multiply(left, transposeA, right, transposeB, into: c, accumulate: accumulate)
    } else if !accumulate {
      for row in 0..<c.rows { c.row(row).update(repeating: 0, count: c.columns) }
    }
  } else if let left = a.matrix, let right = b.matrix {
    multiply(left, transposeA, right, transposeB, into: c, beta: accumulate ? 1 : 0)
  } else {
    preconditionFailure("factors of one precision")
  }
}
