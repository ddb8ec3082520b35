// A factor of a matrix multiplication: where it lies in memory, and how.

/// A read-only view of a row-major matrix of any kind of number, without an owner.
///
/// Unlike `Matrix` it may have bf16 elements, and nothing keeps its memory alive: the caller does so until the
/// multiplication that takes it has returned.
struct GEMMOperand<Number> {
  let base: UnsafePointer<Number>
  let rows, columns: Int
  /// Distance between the starts of two rows, in elements; at least `columns`.
  let stride: Int

  /// - Parameter stride: `columns` unless stated: rows lie without gaps.
  init(_ base: UnsafePointer<Number>, rows: Int, columns: Int, stride: Int? = nil) {
    precondition(rows >= 0 && columns >= 0 && stride ?? columns >= columns)
    (self.base, self.rows, self.columns, self.stride) = (base, rows, columns, stride ?? columns)
  }

  /// A view of consecutive columns.
  func columns(_ range: Range<Int>) -> GEMMOperand {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return GEMMOperand(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }
}
