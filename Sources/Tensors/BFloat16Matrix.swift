// A matrix rounded to bf16, in memory of its own.

/// Numbers in two bytes each: row-major, rows of an even number of elements apart.
package struct BFloat16Matrix: Sendable {
  package let rows, columns: Int
  /// A matrix of half as many columns, whose memory this is.
  private let memory: Matrix<Float>

  package init(uninitialized rows: Int, _ columns: Int) {
    (self.rows, self.columns) = (rows, columns)
    memory = Matrix(uninitialized: rows, (columns + 1) / 2)
  }

  /// Rounds to nearest, ties to even.
  /// - Parameters:
  ///   - x: `[R, C]`
  ///   - prepare: may write to the row of that index in x; called for each before it is rounded, ascending.
  init(rounding x: Matrix<Float>, prepare: (Int) -> Void = { _ in }) {
    self.init(uninitialized: x.rows, x.columns)
    for i in 0..<rows {
      prepare(i)
      let (source, target) = (x.row(i), row(i))
      for j in 0..<columns { target[j] = source[j].bfloat16 }
    }
  }

  var byteCount: Int { memory.rows * memory.columns * MemoryLayout<Float>.stride }

  /// The address of a row.
  package func row(_ index: Int) -> UnsafeMutablePointer<UInt16> {
    UnsafeMutableRawPointer(memory.row(index)).assumingMemoryBound(to: UInt16.self)
  }

  private init(_ memory: Matrix<Float>, columns: Int) {
    (rows, self.columns, self.memory) = (memory.rows, columns, memory)
  }

  /// The same numbers in rows of another, even length.
  /// - Precondition: all rows have an even number of elements, and the count of numbers stays.
  func reshaped(rows: Int, columns: Int) -> BFloat16Matrix {
    precondition(self.columns % 2 == 0 && columns % 2 == 0)
    return BFloat16Matrix(memory.reshaped(rows: rows, columns: columns / 2), columns: columns)
  }

  /// New memory with some columns of some rows.
  func gathering(rows: some Collection<Int>, columns: Range<Int>) -> BFloat16Matrix {
    let result = BFloat16Matrix(uninitialized: rows.count, columns.count)
    for (i, index) in rows.enumerated() {
      result.row(i).update(from: row(index) + columns.lowerBound, count: columns.count)
    }
    return result
  }

  /// Writes a part as fp32.   target [rows, columns]
  func copy(rows: some Collection<Int>, columns: Range<Int>, to target: Matrix<Float>) {
    precondition(target.rows == rows.count && target.columns == columns.count)
    for (i, index) in rows.enumerated() {
      let (source, numbers) = (row(index) + columns.lowerBound, target.row(i))
      for j in 0..<columns.count { numbers[j] = Float(bfloat16: source[j]) }
    }
  }

  /// All of it as fp32, in new memory.
  var numbers: Matrix<Float> {
    let numbers = Matrix<Float>(uninitialized: rows, columns)
    copy(rows: 0..<rows, columns: 0..<columns, to: numbers)
    return numbers
  }

  /// A part as a factor, for as long as the matrix lives.
  func operand(rows: Range<Int>, columns: Range<Int>) -> GEMMOperand<UInt16> {
    precondition(rows.upperBound <= self.rows && columns.upperBound <= self.columns)
    return GEMMOperand(
      row(rows.lowerBound) + columns.lowerBound, rows: rows.count, columns: columns.count, stride: 2 * memory.stride)
  }
}
