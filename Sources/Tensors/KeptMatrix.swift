// A matrix that is kept for later, in half the memory where that is worth its rounding.

/// What backward needs of forward: as it is in fp32, rounded to bf16 where a model computes in bf16; in Double always
/// as it is.
package struct KeptMatrix<Element: Scalar>: Sendable {
  private enum Numbers {
    case asTheyAre(Matrix<Element>)
    case rounded(BFloat16Matrix)
  }

  private let numbers: Numbers
  /// Which of their rows this has, in this order; nil: all.
  private let chosen: [Int]?
  package let rows, columns: Int

  /// - Parameter x: may not change while this is in use.
  package init(_ x: Matrix<Element>, _ precision: Precision) {
    (rows, columns, chosen) = (x.rows, x.columns, nil)
    numbers =
      if precision == .bfloat16, let x = x as? Matrix<Float> {
        .rounded(BFloat16Matrix(rounding: x))
      } else {
        .asTheyAre(x)
      }
  }

  /// Numbers that are rounded already.
  /// - Precondition: Element is Float.
  package init(_ rounded: BFloat16Matrix) {
    precondition(Element.self == Float.self)
    (rows, columns, chosen) = (rounded.rows, rounded.columns, nil)
    numbers = .rounded(rounded)
  }

  /// The bits of a row; nil where the numbers are as they are.
  @inline(__always)
  package func bits(ofRow index: Int) -> UnsafePointer<UInt16>? {
    guard case .rounded(let x) = numbers else { return nil }
    return UnsafePointer(x.row(chosen.map { $0[index] } ?? index))
  }

  /// Whether rows have `bits`.
  package var isRounded: Bool { if case .rounded = numbers { true } else { false } }

  /// What is multiplied without being rounded again.
  package var factor: GEMMFactor<Element> {
    if chosen == nil, case .rounded(let x) = numbers { return GEMMFactor(x) }
    return GEMMFactor(rows(0..<rows), isRounded ? .bfloat16 : .float32)
  }

  /// A part that is multiplied without being rounded again, in rows of another length: one of the part's is n of the
  /// factor's.   [R, n C] -> [R n, C], C even
  package func factor(rows: Range<Int>, columns: Range<Int>, rowLength: Int) -> GEMMFactor<Element> {
    switch numbers {
    case .asTheyAre(let x): return GEMMFactor(x.rows(rows).columns(columns), .float32, rowLength: rowLength)
    case .rounded(let x):
      if chosen == nil, rowLength == x.columns { return GEMMFactor(x).rows(rows) }
      let part =
        chosen.map { x.gathering(rows: $0[rows], columns: columns) } ?? x.gathering(rows: rows, columns: columns)
      return GEMMFactor(part.reshaped(rows: rows.count * (columns.count / rowLength), columns: rowLength))
    }
  }

  private init(_ numbers: Numbers, rows: [Int], columns: Int) {
    (self.numbers, self.rows, self.columns, chosen) = (numbers, rows.count, columns, rows)
  }

  /// The rows at `indices`, in that order, in the same memory where they are rounded.
  package func gathering(_ indices: [Int]) -> KeptMatrix {
    precondition(chosen == nil && indices.allSatisfy { (0..<rows).contains($0) })
    return switch numbers {
    case .asTheyAre(let x): KeptMatrix(x.gathering(indices), .float32)
    case .rounded: KeptMatrix(numbers, rows: indices, columns: columns)
    }
  }

  package var byteCount: Int {
    switch numbers {
    case .asTheyAre(let x): x.rows * x.columns * MemoryLayout<Element>.stride
    case .rounded(let x): x.byteCount
    }
  }

  /// A part as Element, for reading; in new memory where it was rounded.
  package func part(rows: Range<Int>, columns: Range<Int>) -> Matrix<Element> {
    if case .asTheyAre(let x) = numbers { return x.rows(rows).columns(columns) }
    let part = Matrix<Element>(uninitialized: rows.count, columns.count)
    copy(rows: rows, columns: columns, to: part)
    return part
  }

  /// Some rows, for reading.
  package func rows(_ range: Range<Int>) -> Matrix<Element> { part(rows: range, columns: 0..<columns) }

  /// Writes a part elsewhere.   target [rows, columns]
  package func copy(rows: Range<Int>, columns: Range<Int>, to target: Matrix<Element>) {
    switch numbers {
    case .asTheyAre(let x): target.assign(x.rows(rows).columns(columns))
    case .rounded(let x):
      guard let target = target as? Matrix<Float> else { preconditionFailure("only Float is rounded") }
      if let chosen {
        x.copy(rows: chosen[rows], columns: columns, to: target)
      } else {
        x.copy(rows: rows, columns: columns, to: target)
      }
    }
  }
}
