// The two numbers that a token has for each head of a delta rule: how much of the state stays, how much it writes.
import Tensors

/// Decay and write strength of the value heads (transformers `Qwen3_5GatedDeltaNet`).
package struct DeltaGates<Element: Scalar>: Sendable {
  /// exp(A_log), `[heads]`.
  private let rates: [Element]
  /// `[heads]`
  private let bias: [Element]

  /// - Parameters: `logRates`, `bias`: `A_log` and `dt_bias`, `[heads]`.
  package init(logRates: StoredTensor, bias: StoredTensor) {
    let logs: [Element] = logRates.values()
    rates = logs.map(Element.exponential)
    self.bias = bias.values()
  }

  /// g = -exp(A_log) softplus(a + dt_bias), the logarithm of the decay; beta = sigmoid(b).
  /// a, b [R, heads] -> g, beta [R, heads]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(a: Matrix<Element>, b: Matrix<Element>) -> (g: Matrix<Element>, beta: Matrix<Element>) {
    let g = Matrix<Element>(uninitialized: a.rows, a.columns)
    let beta = Matrix<Element>(uninitialized: a.rows, a.columns)
    for t in 0..<a.rows {
      for h in rates.indices {
        g.row(t)[h] = -rates[h] * Self.softplus(a.row(t)[h] + bias[h])
        beta.row(t)[h] = Self.sigmoid(b.row(t)[h])
      }
    }
    return (g, beta)
  }

  /// da = -dg exp(A_log) sigmoid(a + dt_bias), db = dbeta beta (1 - beta).   [R, heads] each
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(
    dg: Matrix<Element>, dbeta: Matrix<Element>, a: Matrix<Element>, b: Matrix<Element>
  ) -> (a: Matrix<Element>, b: Matrix<Element>) {
    let da = Matrix<Element>(uninitialized: a.rows, a.columns)
    let db = Matrix<Element>(uninitialized: a.rows, a.columns)
    for t in 0..<a.rows {
      for h in rates.indices {
        da.row(t)[h] = -dg.row(t)[h] * rates[h] * Self.sigmoid(a.row(t)[h] + bias[h])
        let beta = Self.sigmoid(b.row(t)[h])
        db.row(t)[h] = dbeta.row(t)[h] * beta * (1 - beta)
      }
    }
    return (da, db)
  }

  private static func sigmoid(_ x: Element) -> Element { 1 / (1 + Element.exponential(-x)) }

  /// log(1 + e^x), to the last place also where e^x is small.
  private static func softplus(_ x: Element) -> Element {
    let e = Element.exponential(-abs(x))
    let u = 1 + e
    return max(x, 0) + (u == 1 ? e : Element.naturalLogarithm(u) * e / (u - 1))
  }
}
