// Matrix products between matrices, and between a matrix and a weight where it lies in the checkpoint.

/// `C = alpha op(A) op(B) + beta C`.
/// - Precondition: the shapes agree.
public func multiply<Element: Scalar>(
  _ a: Matrix<Element>, _ transposeA: Transpose, _ b: Matrix<Element>, _ transposeB: Transpose,
  into c: Matrix<Element>, alpha: Element = 1, beta: Element = 0
) {
  let (m, k) = transposeA == .asIs ? (a.rows, a.columns) : (a.columns, a.rows)
  let (kB, n) = transposeB == .asIs ? (b.rows, b.columns) : (b.columns, b.rows)
  precondition(
    k == kB && c.rows == m && c.columns == n, "product of \(m)x\(k) and \(kB)x\(n) into \(c.rows)x\(c.columns)")
  if m == 0 || n == 0 { return }
  if k == 0 {
    if beta == 0 { for row in 0..<m { c.row(row).update(repeating: 0, count: n) } }
    return
  }
  Element.gemm(
    transposeA, transposeB, m, n, k, alpha: alpha, a.base, max(a.stride, 1), b.base, max(b.stride, 1), beta: beta,
    c.base, max(c.stride, 1))
}

/// A frozen `[out, in]` weight: multiplied from where it lies if it is stored as `Element`, otherwise converted a tile
/// of rows at a time, so that no second copy of the model ever exists.
public struct StoredMatrix: Sendable {
  public let tensor: StoredTensor
  /// Rows `out` and columns `in` of the weight.
  public let rows, columns: Int
  /// Numbers of a converted tile: 1 MiB of Float stays in the second-level cache between conversion and product.
  private static var tileNumbers: Int { 1 << 18 }

  /// Takes the leading dimension as rows and the product of the others as columns (a convolution's kernel is one row).
  public init(_ tensor: StoredTensor) {
    precondition(tensor.shape.count >= 2, "\(tensor.name) is not a matrix")
    self.tensor = tensor
    rows = tensor.shape[0]
    columns = tensor.shape.dropFirst().reduce(1, *)
  }

  /// `y = x W^T`.   x [R, in] -> y [R, out]
  public func timesTransposed<Element: Scalar>(_ x: Matrix<Element>) -> Matrix<Element> {
    let y = Matrix<Element>(uninitialized: x.rows, rows)
    forEachTile { range, tile in multiply(x, .asIs, tile, .transposed, into: y.columns(range)) }
    return y
  }

  /// `dx = dy W` (`+ dx` when `accumulate`).   dy [R, out] -> dx [R, in]
  public func times<Element: Scalar>(_ dy: Matrix<Element>, into dx: Matrix<Element>, accumulate: Bool) {
    forEachTile { range, tile in
      multiply(dy.columns(range), .asIs, tile, .asIs, into: dx, beta: accumulate || range.lowerBound > 0 ? 1 : 0)
    }
  }

  /// Rows at `indices` as `Element`.   -> [indices.count, columns]
  public func gathering<Element: Scalar>(_ indices: [Int32]) -> Matrix<Element> {
    let result = Matrix<Element>(uninitialized: indices.count, columns)
    for (target, index) in indices.enumerated() {
      precondition(index >= 0 && Int(index) < rows)
      tensor.convert(from: Int(index) * columns, count: columns, into: result.row(target))
    }
    return result
  }

  private func forEachTile<Element: Scalar>(_ body: (Range<Int>, Matrix<Element>) -> Void) {
    if let whole: Matrix<Element> = tensor.inPlace(rows: rows, columns: columns) { return body(0..<rows, whole) }
    let height = min(rows, max(1, Self.tileNumbers / columns))
    let scratch = Matrix<Element>(uninitialized: height, columns)
    for start in stride(from: 0, to: rows, by: height) {
      let range = start..<min(start + height, rows)
      tensor.convert(from: start * columns, count: range.count * columns, into: scratch.base)
      body(range, scratch.rows(0..<range.count))
    }
  }
}
