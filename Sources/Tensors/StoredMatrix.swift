// A frozen weight where it lies in the checkpoint, and matrix multiplication with it.

/// A frozen `[out, in]` weight: multiplied where it lies if it is stored as `Element`, otherwise converted tile by tile
/// during the GEMM, so that no second copy of the model ever exists.
package struct StoredMatrix: Sendable {
  package let tensor: StoredTensor
  /// Rows `out` and columns `in` of the weight.
  package let rows, columns: Int
  /// Where the numbers lie among the tensor's: the first one, and the distance between the starts of two rows.
  let first, stride: Int
  /// Longest side of a converted tile. A GEMM repacks its other operand for every tile, so a tile is large; 4 MiB of
  /// Float still stay in the last-level cache between conversion and GEMM.
  private static var tileSide: Int { 1024 }

  package let precision: Precision

  /// Takes the leading dimension as rows and all others together as columns (a convolution's kernel is one row).
  package init(_ tensor: StoredTensor, precision: Precision = .float32) {
    precondition(tensor.shape.count >= 2, "\(tensor.name) is not a matrix")
    let (rows, columns) = (tensor.shape[0], tensor.shape.dropFirst().reduce(1, *))
    self.init(tensor, rows: rows, columns: columns, first: 0, stride: columns, precision)
  }

  private init(_ tensor: StoredTensor, rows: Int, columns: Int, first: Int, stride: Int, _ precision: Precision) {
    (self.tensor, self.rows, self.columns) = (tensor, rows, columns)
    (self.first, self.stride, self.precision) = (first, stride, precision)
  }

  /// A view of consecutive rows.
  package func rows(_ range: Range<Int>) -> StoredMatrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return StoredMatrix(
      tensor, rows: range.count, columns: columns, first: first + range.lowerBound * stride, stride: stride, precision)
  }

  /// A view of consecutive columns.
  package func columns(_ range: Range<Int>) -> StoredMatrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return StoredMatrix(
      tensor, rows: rows, columns: range.count, first: first + range.lowerBound, stride: stride, precision)
  }

  /// `y = x W^T`.   x [R, in] -> y [R, out]
  package func timesTransposed<Element: Scalar>(_ x: Matrix<Element>) -> Matrix<Element> {
    timesTransposed(GEMMFactor(x, precision))
  }

  /// The same of a factor of the weight's precision.
  package func timesTransposed<Element: Scalar>(_ x: GEMMFactor<Element>) -> Matrix<Element> {
    let y = Matrix<Element>(uninitialized: x.rows, rows)
    timesTransposed(x, into: y, accumulate: false)
    return y
  }

  /// The same into `y` (`+ y` when `accumulate`).
  package func timesTransposed<Element: Scalar>(
    _ x: GEMMFactor<Element>, into y: Matrix<Element>, accumulate: Bool
  ) {
    multiply(x, .transposed, into: y, accumulate: accumulate)
  }

  /// `dx = dy W` (`+ dx` when `accumulate`).   dy [R, out] -> dx [R, in]
  package func times<Element: Scalar>(_ dy: Matrix<Element>, into dx: Matrix<Element>, accumulate: Bool) {
    times(GEMMFactor(dy, precision), into: dx, accumulate: accumulate)
  }

  /// The same of a factor of the weight's precision.
  package func times<Element: Scalar>(_ dy: GEMMFactor<Element>, into dx: Matrix<Element>, accumulate: Bool) {
    multiply(dy, .asIs, into: dx, accumulate: accumulate)
  }

  /// Rows at `indices` as `Element`.   -> [indices.count, columns]
  package func gathering<Element: Scalar>(_ indices: [Int32]) -> Matrix<Element> {
    let result = Matrix<Element>(uninitialized: indices.count, columns)
    for (target, index) in indices.enumerated() {
      precondition(index >= 0 && Int(index) < rows)
      convert(row: Int(index), columns: 0..<columns, into: result.row(target))
    }
    return result
  }

  /// `y = x op(W)` (`+ y` when `accumulate`); in Double always in Double.
  private func multiply<Element: Scalar>(
    _ x: GEMMFactor<Element>, _ transpose: Transpose, into y: Matrix<Element>, accumulate: Bool
  ) {
    if let bits = x.operand, let y = y as? Matrix<Float> {
      withExtendedLifetime(x) { multiplyInBFloat16(bits, transpose, into: y, accumulate: accumulate) }
    } else if let numbers = x.matrix {
      let rounded = precision == .bfloat16 && Element.self == Float.self
      multiplyByTiles(numbers, transpose, into: y, accumulate: accumulate, rounded: rounded)
    } else {
      preconditionFailure("bits of bf16 are Float's")
    }
  }

  private func multiplyByTiles<Element: Scalar>(
    _ x: Matrix<Element>, _ transpose: Transpose, into y: Matrix<Element>, accumulate: Bool, rounded: Bool
  ) {
    forEachTile(rounded: rounded) { rows, columns, tile in
      let (inner, outer) = transpose == .asIs ? (rows, columns) : (columns, rows)
      Tensors.multiply(
        x.columns(inner), .asIs, tile, transpose, into: y.columns(outer),
        beta: accumulate || inner.lowerBound > 0 ? 1 : 0)
    }
  }

  /// The weight as it lies if it is stored as Element; otherwise tile by tile, rounded to bf16 on request.
  func forEachTile<Element: Scalar>(
    rounded: Bool, _ body: (_ rows: Range<Int>, _ columns: Range<Int>, _ tile: Matrix<Element>) -> Void
  ) {
    let rounded = rounded && tensor.type != .bfloat16
    if !rounded, let whole: Matrix<Element> = inPlace() { return body(0..<rows, 0..<columns, whole) }
    // Whole vectors.
    func sides(_ count: Int) -> [Range<Int>] { spans(count, atMost: Self.tileSide, multipleOf: 16) }
    let (rowSpans, columnSpans) = (sides(rows), sides(columns))
    let scratch = Matrix<Element>(uninitialized: rowSpans[0].count, columnSpans[0].count)
    for rowSpan in rowSpans {
      for columnSpan in columnSpans {
        let tile = scratch.rows(0..<rowSpan.count).columns(0..<columnSpan.count)
        for row in rowSpan {
          convert(row: row, columns: columnSpan, into: tile.row(row - rowSpan.lowerBound))
        }
        if rounded { tile.roundToBFloat16() }
        body(rowSpan, columnSpan, tile)
      }
    }
  }

  /// The numbers where they lie, if they are stored as Element.
  private func inPlace<Element: Scalar>() -> Matrix<Element>? {
    tensor.inPlace(rows: tensor.count / stride, columns: stride).map { (whole: Matrix<Element>) in
      let row = first / stride, column = first % stride
      return whole.rows(row..<row + rows).columns(column..<column + columns)
    }
  }

  /// A part of a row as Element.
  func convert<Element: Scalar>(row: Int, columns: Range<Int>, into target: UnsafeMutablePointer<Element>) {
    tensor.convert(from: first + row * stride + columns.lowerBound, count: columns.count, into: target)
  }
}
