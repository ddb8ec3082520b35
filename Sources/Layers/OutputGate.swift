// The gate on what attention gives: y = a sigmoid(g), with queries and gates projected together.
import Tensors

/// An output gate whose projection gives, head by head, first the query and then the gate.
package enum OutputGate {
  /// Takes the projection apart.   [R, heads 2 D] -> queries, gates [R, heads D]
  package static func split<Element: Scalar>(
    _ projected: Matrix<Element>, headDimension D: Int
  ) -> (queries: Matrix<Element>, gates: Matrix<Element>) {
    let queries = Matrix<Element>(uninitialized: projected.rows, projected.columns / 2)
    let gates = Matrix<Element>(uninitialized: projected.rows, projected.columns / 2)
    for (head, start) in stride(from: 0, to: queries.columns, by: D).enumerated() {
      let columns = start..<start + D
      queries.columns(columns).assign(projected.columns(2 * head * D..<(2 * head + 1) * D))
      gates.columns(columns).assign(projected.columns((2 * head + 1) * D..<(2 * head + 2) * D))
    }
    return (queries, gates)
  }

  /// The inverse of `split`.   queries, gates [R, heads D] -> [R, heads 2 D]
  package static func join<Element: Scalar>(
    _ queries: Matrix<Element>, _ gates: Matrix<Element>, headDimension D: Int
  ) -> Matrix<Element> {
    let projected = Matrix<Element>(uninitialized: queries.rows, 2 * queries.columns)
    for (head, start) in stride(from: 0, to: queries.columns, by: D).enumerated() {
      let columns = start..<start + D
      projected.columns(2 * head * D..<(2 * head + 1) * D).assign(queries.columns(columns))
      projected.columns((2 * head + 1) * D..<(2 * head + 2) * D).assign(gates.columns(columns))
    }
    return projected
  }

  /// y = a sigmoid(g).   a, g [R, C] -> y [R, C]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func forward<Element: Scalar>(_ a: Matrix<Element>, gate g: Matrix<Element>) -> Matrix<Element> {
    precondition(a.rows == g.rows && a.columns == g.columns)
    let y = Matrix<Element>(uninitialized: a.rows, a.columns)
    for t in 0..<a.rows {
      let (at, gt, yt) = (a.row(t), g.row(t), y.row(t))
      for i in 0..<a.columns { yt[i] = at[i] / (1 + Element.exponential(-gt[i])) }
    }
    return y
  }

  /// da = dy sig, dg = dy a sig (1 - sig).   dy, a, g [R, C] -> [R, C] each
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func backward<Element: Scalar>(
    _ dy: Matrix<Element>, input a: Matrix<Element>, gate g: Matrix<Element>
  ) -> (input: Matrix<Element>, gate: Matrix<Element>) {
    precondition(dy.rows == a.rows && dy.columns == a.columns && a.rows == g.rows && a.columns == g.columns)
    let da = Matrix<Element>(uninitialized: a.rows, a.columns)
    let dg = Matrix<Element>(uninitialized: a.rows, a.columns)
    for t in 0..<a.rows {
      let (dyt, at, gt, dat, dgt) = (dy.row(t), a.row(t), g.row(t), da.row(t), dg.row(t))
      for i in 0..<a.columns {
        let s = 1 / (1 + Element.exponential(-gt[i]))
        dat[i] = dyt[i] * s
        dgt[i] = dyt[i] * at[i] * s * (1 - s)
      }
    }
    return (da, dg)
  }
}
