// The gated activation: y = silu(gate) up, silu(g) = g sigmoid(g).
//
// A row is passed twice, for the exponentials and for the rest: it stays in cache, and of a short loop a processor has
// more numbers under way than of a long one.
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
      for j in 0..<I { yi[j] = SiLU.divisor(g[j]) }
      for j in 0..<I { yi[j] = g[j] / yi[j] * u[j] }
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
      for j in 0..<I { dg[j] = SiLU.sigmoid(g[j]) }
      for j in 0..<I {
        let s = dg[j]
        dg[j] = d[j] * u[j] * s * (1 + g[j] * (1 - s))
        du[j] = d[j] * g[j] * s
      }
    }
    return (dgate, dup)
  }

  // MARK: - With what is multiplied and kept, rounded in the same pass over memory

  /// Pre-activations as backward takes them, `[R, I]` each.
  package typealias Kept<Element: Scalar> = (gate: KeptMatrix<Element>, up: KeptMatrix<Element>)

  /// y as a factor of the next GEMM, and gate and up for backward, where one follows.   gate, up [R, I] -> y [R, I]
  package static func forward<Element: Scalar>(
    gate: Matrix<Element>, up: Matrix<Element>, _ precision: Precision, keeping isKept: Bool
  ) -> (y: GEMMFactor<Element>, kept: Kept<Element>?) {
    guard precision == .bfloat16, let g = gate as? Matrix<Float>, let u = up as? Matrix<Float> else {
      let kept = isKept ? (gate: KeptMatrix(gate, precision), up: KeptMatrix(up, precision)) : nil
      return (GEMMFactor(forward(gate: gate, up: up), precision), kept)
    }
    let (y, kept) = rounded(gate: g, up: u, keeping: isKept)
    return (GEMMFactor(y), kept.map { (KeptMatrix($0.gate), KeptMatrix($0.up)) })
  }

  private static func rounded(
    gate: Matrix<Float>, up: Matrix<Float>, keeping isKept: Bool
  ) -> (y: BFloat16Matrix, kept: (gate: BFloat16Matrix, up: BFloat16Matrix)?) {
    let (R, I) = (gate.rows, gate.columns)
    precondition(up.rows == R && up.columns == I)
    func bits(_ rows: Int) -> BFloat16Matrix { BFloat16Matrix(uninitialized: rows, I) }
    let (y, kept) = (bits(R), (gate: bits(isKept ? R : 0), up: bits(isKept ? R : 0)))
    let divisors = Matrix<Float>(uninitialized: 1, I)
    for i in 0..<R {
      let (g, u, yi, divisor) = (gate.row(i), up.row(i), y.row(i), divisors.row(0))
      // Compilers vectorise loops of few arrays alone.
      for j in 0..<I { divisor[j] = SiLU.divisor(g[j]) }
      for j in 0..<I { yi[j] = (g[j] / divisor[j] * u[j]).bfloat16 }
      guard isKept else { continue }
      let (gi, ui) = (kept.gate.row(i), kept.up.row(i))
      for j in 0..<I { gi[j] = g[j].bfloat16 }
      for j in 0..<I { ui[j] = u[j].bfloat16 }
    }
    return (y, isKept ? kept : nil)
  }

  /// dgate and dup as factors of the next GEMMs.
  /// - Parameters:
  ///   - dy: `[R, I]`.
  ///   - gate, up: what forward kept.
  ///   - rows: those of them that `dy` has.
  package static func backward<Element: Scalar>(
    _ dy: Matrix<Element>, gate: KeptMatrix<Element>, up: KeptMatrix<Element>, rows: Range<Int>, _ precision: Precision
  ) -> (gate: GEMMFactor<Element>, up: GEMMFactor<Element>) {
    if precision == .bfloat16, gate.isRounded, let dy = dy as? Matrix<Float> {
      let (dgate, dup) = rounded(dy, gate: gate, up: up, rows: rows)
      return (GEMMFactor(dgate), GEMMFactor(dup))
    }
    let gradients = backward(dy, gate: gate.rows(rows), up: up.rows(rows))
    return (GEMMFactor(gradients.gate, precision), GEMMFactor(gradients.up, precision))
  }

  private static func rounded<Element: Scalar>(
    _ dy: Matrix<Float>, gate: KeptMatrix<Element>, up: KeptMatrix<Element>, rows: Range<Int>
  ) -> (gate: BFloat16Matrix, up: BFloat16Matrix) {
    let (R, I) = (dy.rows, dy.columns)
    precondition(rows.count == R && rows.upperBound <= gate.rows && gate.columns == I && up.columns == I)
    let (dgate, dup) = (BFloat16Matrix(uninitialized: R, I), BFloat16Matrix(uninitialized: R, I))
    let sigmoid = Matrix<Float>(uninitialized: 1, I)
    for (i, row) in rows.enumerated() {
      guard let g = gate.bits(ofRow: row), let u = up.bits(ofRow: row) else { preconditionFailure("both are rounded") }
      differentiate(dy.row(i), gate: g, up: u, count: I, sigmoid: sigmoid.row(0), into: dgate.row(i), dup.row(i))
    }
    return (dgate, dup)
  }

  /// - Parameter sigmoid: memory for `count` numbers.
  private static func differentiate(
    _ dy: UnsafeMutablePointer<Float>, gate: UnsafePointer<UInt16>, up: UnsafePointer<UInt16>, count: Int,
    sigmoid: UnsafeMutablePointer<Float>, into dgate: UnsafeMutablePointer<UInt16>, _ dup: UnsafeMutablePointer<UInt16>
  ) {
    for j in 0..<count { sigmoid[j] = SiLU.sigmoid(Float(bfloat16: gate[j])) }
    for j in 0..<count {
      let (d, g, u, s) = (dy[j], Float(bfloat16: gate[j]), Float(bfloat16: up[j]), sigmoid[j])
      dgate[j] = (d * u * s * (1 + g * (1 - s))).bfloat16
      dup[j] = (d * g * s).bfloat16
    }
  }
}
