// Matrix multiplication of two matrices in memory, and the solution of triangular systems, by BLAS.

/// About so many rows make a multiplication with a weight as fast as more do: packing the weight costs little then.
package let usefulGEMMRows = 1536

/// `C = alpha op(A) op(B) + beta C`.   op(A) [m, k], op(B) [k, n], C [m, n]
/// - Precondition: the shapes agree; C does not overlap A or B.
package func multiply<Element: Scalar>(
  _ a: Matrix<Element>, _ transposeA: Transpose, _ b: Matrix<Element>, _ transposeB: Transpose,
  into c: Matrix<Element>, alpha: Element = 1, beta: Element = 0
) {
  let (m, k) = transposeA == .asIs ? (a.rows, a.columns) : (a.columns, a.rows)
  let (kB, n) = transposeB == .asIs ? (b.rows, b.columns) : (b.columns, b.rows)
  precondition(
    k == kB && c.rows == m && c.columns == n, "GEMM of \(m)x\(k) and \(kB)x\(n) into \(c.rows)x\(c.columns)")
  if m == 0 || n == 0 { return }
  if k == 0 {
    if beta == 0 { for row in 0..<m { c.row(row).update(repeating: 0, count: n) } }
    return
  }
  Element.gemm(
    transposeA, transposeB, m, n, k, alpha: alpha, a.base, max(a.stride, 1), b.base, max(b.stride, 1), beta: beta,
    c.base, max(c.stride, 1))
}

/// Solves (1 + L) Y = X or (1 + L)^T Y = X, L being what `a` has strictly below its diagonal; Y takes X's place.
/// a [m, m], x [m, n]
package func solveUnitLower<Element: Scalar>(_ a: Matrix<Element>, _ transpose: Transpose, inPlace x: Matrix<Element>) {
  precondition(a.rows == a.columns && a.rows == x.rows)
  if x.rows == 0 || x.columns == 0 { return }
  Element.trsm(transpose, x.rows, x.columns, a.base, a.stride, x.base, x.stride)
}
