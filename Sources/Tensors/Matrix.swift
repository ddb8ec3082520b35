// The matrix that everything is computed with: a view of rows and columns somewhere in memory.
import Glibc

/// Memory of a matrix that was allocated here; returned to the pool with the last view of it.
private final class Storage<Element: Scalar>: Sendable {
  nonisolated(unsafe) let base: UnsafeMutablePointer<Element>
  private let capacity: Int

  init(count: Int) {
    capacity = BlockPool.capacity(count * MemoryLayout<Element>.stride)
    base = BlockPool.take(capacity).bindMemory(to: Element.self, capacity: count)
  }

  deinit { BlockPool.giveBack(base, capacity: capacity) }
}

/// A view of a row-major matrix, with reference semantics.
///
/// Element (i, j) is at `base[i * stride + j]`. Invariant: `columns <= stride`, so that rows may have gaps between them
/// and never overlap, and all rows lie in memory that `owner` keeps alive. Every view holds the owner, so a view may
/// outlive the matrix that it was taken from.
///
/// Views alias: a copy of the struct, `rows(_:)`, `columns(_:)` and `reshaped(rows:columns:)` are the same memory, and
/// a write through one of them shows in all. `gathering(_:)` and the initializers for new memory allocate.
///
/// `let` protects the view, not the numbers: whoever has a view of allocated memory may write through it, and functions
/// document which of their arguments they change. Nobody may write to a frozen weight (`StoredTensor.inPlace`): its
/// pages are mapped read-only. There is no lock: the type is `Sendable` on the condition that no thread writes to
/// memory that another one uses at the same time.
package struct Matrix<Element: Scalar>: @unchecked Sendable {
  package let rows: Int
  package let columns: Int
  /// Distance between the starts of two rows, in elements.
  package let stride: Int
  /// Element (0, 0).
  package let base: UnsafeMutablePointer<Element>
  /// Keeps the memory alive: `Storage`, or a mapped file.
  private let owner: AnyObject

  private init(rows: Int, columns: Int, stride: Int, base: UnsafeMutablePointer<Element>, owner: AnyObject) {
    precondition(columns <= stride, "rows would overlap")
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.base = base
    self.owner = owner
  }

  /// A view of memory that `owner` keeps alive, rows without gaps.
  init(viewing base: UnsafeMutablePointer<Element>, rows: Int, columns: Int, owner: AnyObject) {
    self.init(rows: rows, columns: columns, stride: columns, base: base, owner: owner)
  }

  /// New memory with undefined content.
  package init(uninitialized rows: Int, _ columns: Int) {
    precondition(rows >= 0 && columns >= 0)
    let storage = Storage<Element>(count: rows * columns)
    self.init(rows: rows, columns: columns, stride: columns, base: storage.base, owner: storage)
  }

  /// New memory, every element zero.
  package init(zeros rows: Int, _ columns: Int) {
    self.init(uninitialized: rows, columns)
    // Bits of 0; `update(repeating:)` would go through the numbers one by one where the compiler does not know Element.
    memset(base, 0, rows * columns * MemoryLayout<Element>.stride)
  }

  /// A copy of `values` in row-major order.
  /// - Precondition: `values.count == rows * columns`.
  package init(_ values: [Element], rows: Int, columns: Int) {
    precondition(values.count == rows * columns)
    self.init(uninitialized: rows, columns)
    values.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { base.update(from: start, count: source.count) }
    }
  }

  /// Bytes of the numbers, without gaps between rows.
  package var byteCount: Int { rows * columns * MemoryLayout<Element>.stride }

  /// The address of a row.
  @inline(__always)
  package func row(_ index: Int) -> UnsafeMutablePointer<Element> { base + index * stride }

  /// A view of consecutive rows.
  package func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return Matrix(
      rows: range.count, columns: columns, stride: stride, base: base + range.lowerBound * stride, owner: owner)
  }

  /// A view of consecutive columns.
  package func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return Matrix(rows: rows, columns: range.count, stride: stride, base: base + range.lowerBound, owner: owner)
  }

  /// A view of the same numbers with another row length.
  /// - Precondition: rows lie without gaps, and the count of numbers stays.
  package func reshaped(rows newRows: Int, columns newColumns: Int) -> Matrix {
    precondition((rows == 1 || stride == columns) && newRows * newColumns == rows * columns)
    return Matrix(rows: newRows, columns: newColumns, stride: newColumns, base: base, owner: owner)
  }

  /// New memory with the rows at `indices`, in that order.
  package func gathering(_ indices: [Int]) -> Matrix {
    let result = Matrix(uninitialized: indices.count, columns)
    for (target, source) in indices.enumerated() {
      precondition(source >= 0 && source < rows)
      result.row(target).update(from: row(source), count: columns)
    }
    return result
  }

  /// New memory with the rows of some matrices, one after the other.
  /// - Precondition: there is one, and all have as many columns.
  package static func joining(_ parts: [Matrix]) -> Matrix {
    let result = Matrix(uninitialized: parts.reduce(0) { $0 + $1.rows }, parts[0].columns)
    var first = 0
    for part in parts {
      precondition(part.columns == result.columns)
      result.rows(first..<first + part.rows).assign(part)
      first += part.rows
    }
    return result
  }

  /// New memory with this matrix's rows, then those of another one.
  package func followed(by other: Matrix) -> Matrix { .joining([self, other]) }

  /// New memory with the same numbers.
  package var copy: Matrix {
    let result = Matrix(uninitialized: rows, columns)
    result.assign(self)
    return result
  }

  /// Overwrites this matrix with the numbers of `source`.
  package func assign(_ source: Matrix) {
    precondition(source.rows == rows && source.columns == columns)
    for index in 0..<rows { row(index).update(from: source.row(index), count: columns) }
  }

  /// All elements in row-major order.
  package var values: [Element] {
    [Element](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      if let start = buffer.baseAddress {
        for index in 0..<rows { (start + index * columns).update(from: row(index), count: columns) }
      }
      count = rows * columns
    }
  }
}
