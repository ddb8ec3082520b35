// Matrix multiplication with a weight in bf16: with the stored weight in place if it is bf16, otherwise tile by tile.

extension StoredMatrix {
  /// `y = x op(W)` (`+ y` when `accumulate`), both factors rounded to bf16, sums in fp32.
  func multiplyInBFloat16(
    _ x: GEMMOperand<UInt16>, _ transpose: Transpose, into y: Matrix<Float>, accumulate: Bool
  ) {
    if x.rows == 0 { return }
    if tensor.type == .bfloat16 {
      let weight = GEMMOperand(
        tensor.base.assumingMemoryBound(to: UInt16.self) + first, rows: rows, columns: columns, stride: stride)
      OneDNN.multiply(x, .asIs, weight, transpose, into: y, accumulate: accumulate)
      return
    }
    forEachTile(rounded: true) { (rows, columns, tile: Matrix<Float>) in
      let (inner, outer) = transpose == .asIs ? (rows, columns) : (columns, rows)
      let rounded = BFloat16Matrix(rounding: tile)
      withExtendedLifetime(rounded) {
        OneDNN.multiply(
          x.columns(inner), .asIs, rounded.operand(rows: 0..<tile.rows, columns: 0..<tile.columns), transpose,
          into: y.columns(outer), accumulate: accumulate || inner.lowerBound > 0)
      }
    }
  }
}

extension Matrix {
  /// The numbers rounded to bf16, as Element.
  var roundedToBFloat16: Matrix {
    let result = Matrix(uninitialized: rows, columns)
    result.assign(self)
    result.roundToBFloat16()
    return result
  }

  /// Rounds every number to bf16 in place.
  @specialized(where Element == Float)
  func roundToBFloat16() {
    for i in 0..<rows {
      let numbers = row(i)
      for j in 0..<columns { numbers[j] = Element(Float(bitPattern: UInt32(Float(numbers[j]).bfloat16) << 16)) }
    }
  }
}
