// A matrix rounded to bf16, in memory of its own.

/// Numbers in two bytes each: row-major, rows of an even number of elements apart.
struct BFloat16Matrix: Sendable {
  let rows, columns: Int
  /// A matrix of half as many columns, whose memory this is.
  private let memory: Matrix<Float>

  /// Rounds to nearest, ties to even.   x [R, C]
  init(rounding x: Matrix<Float>) {
    (rows, columns) = (x.rows, x.columns)
    memory = Matrix(uninitialized: rows, (columns + 1) / 2)
    for i in 0..<rows {
      let (source, target) = (x.row(i), row(i))
      for j in 0..<columns { target[j] = source[j].bfloat16 }
    }
  }

  var byteCount: Int { memory.rows * memory.columns * MemoryLayout<Float>.stride }

  /// The address of a row.
  func row(_ index: Int) -> UnsafeMutablePointer<UInt16> {
    UnsafeMutableRawPointer(memory.row(index)).assumingMemoryBound(to: UInt16.self)
  }

  /// Writes a part as fp32.   target [rows, columns]
  func copy(rows: some Collection<Int>, columns: Range<Int>, to target: Matrix<Float>) {
    precondition(target.rows == rows.count && target.columns == columns.count)
    for (i, index) in rows.enumerated() {
      let (source, numbers) = (row(index) + columns.lowerBound, target.row(i))
      for j in 0..<columns.count { numbers[j] = Float(bitPattern: UInt32(source[j]) << 16) }
    }
  }

  /// A part as a factor, for as long as the matrix lives.
  func operand(rows: Range<Int>, columns: Range<Int>) -> GEMMOperand<UInt16> {
    precondition(rows.upperBound <= self.rows && columns.upperBound <= self.columns)
    return GEMMOperand(
      row(rows.lowerBound) + columns.lowerBound, rows: rows.count, columns: columns.count, stride: 2 * memory.stride)
  }
}
