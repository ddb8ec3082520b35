// The gated activation: y = silu(gate) up, silu(g) = g sigmoid(g).
import Tensors

/// SwiGLU's elementwise part.
package enum SwiGLU {
  /// y = gate sigmoid(gate) up.   gate, up [R, I] -> y [R, I]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func forward<Element: Scalar>(gate: Matrix<Element>, up: Matrix<Element>) -> Matrix<Element> {
    let (R, I) = (gate.rows, gate.columns)
    precondition(up.rows == R && up.columns == I)
    let y = Matrix<Element>(uninitialized: R, I)
    for i in 0..<R {
      let (g, u, yi) = (gate.row(i), up.row(i), y.row(i))
      for j in 0..<I { yi[j] = SiLU.value(g[j]) * u[j] }
    }
    return y
  }

  /// dup = dy silu(gate); dgate = dy up s (1 + gate (1 - s)), s = sigmoid(gate).   dy [R, I] -> dgate, dup [R, I]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func backward<Element: Scalar>(
    _ dy: Matrix<Element>, gate: Matrix<Element>, up: Matrix<Element>
  ) -> (gate: Matrix<Element>, up: Matrix<Element>) {
    let (R, I) = (gate.rows, gate.columns)
    precondition(up.rows == R && up.columns == I && dy.rows == R && dy.columns == I)
    let dgate = Matrix<Element>(uninitialized: R, I)
    let dup = Matrix<Element>(uninitialized: R, I)
    for i in 0..<R {
      let (g, u, d, dg, du) = (gate.row(i), up.row(i), dy.row(i), dgate.row(i), dup.row(i))
      for j in 0..<I {
        let s = 1 / (1 + Element.exponential(-g[j]))
        dg[j] = d[j] * u[j] * s * (1 + g[j] * (1 - s))
        du[j] = d[j] * g[j] * s
      }
    }
    return (dgate, dup)
  }
}
