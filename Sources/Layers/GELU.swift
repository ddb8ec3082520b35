// The activation of mergers and of MLPs without a gate.
import Tensors

/// The Gaussian error linear unit (torch `nn.GELU`).
package enum GELU: Sendable {
  /// x/2 (1 + erf(x / sqrt 2))
  case exact
  /// x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), `gelu_pytorch_tanh`
  case tanh
  /// x sigmoid(1.702 x), `quick_gelu`
  case quick

  /// In place.   x [R, I]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward<Element: Scalar>(inPlace x: Matrix<Element>) {
    switch self {
    case .exact:
      let c = Element(0.5).squareRoot()
      for i in 0..<x.rows {
        let xi = x.row(i)
        for j in 0..<x.columns { xi[j] = xi[j] / 2 * (1 + Element.errorFunction(xi[j] * c)) }
      }
    case .tanh:
      // (1 + tanh u) / 2 = 1 / (1 + e^(-2 u))
      let c = -2 * (2 / Element.pi).squareRoot()
      for i in 0..<x.rows {
        let xi = x.row(i)
        for j in 0..<x.columns {
          let u = c * (xi[j] + 0.044715 * xi[j] * xi[j] * xi[j])
          xi[j] /= 1 + Element.exponential(u)
        }
      }
    case .quick:
      for i in 0..<x.rows {
        let xi = x.row(i)
        for j in 0..<x.columns { xi[j] /= 1 + Element.exponential(-1.702 * xi[j]) }
      }
    }
  }

  /// dx = dy y'(x), in place of dy.   dy, x [R, I]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward<Element: Scalar>(inPlace dy: Matrix<Element>, input x: Matrix<Element>) {
    precondition(dy.rows == x.rows && dy.columns == x.columns)
    switch self {
    case .exact:
      // Phi(x) + x phi(x), the normal distribution and its density.
      let c = Element(0.5).squareRoot()
      let density = 1 / (2 * Element.pi).squareRoot()
      for i in 0..<x.rows {
        let (xi, di) = (x.row(i), dy.row(i))
        for j in 0..<x.columns {
          di[j] *=
            (1 + Element.errorFunction(xi[j] * c)) / 2 + xi[j] * density * Element.exponential(-xi[j] * xi[j] / 2)
        }
      }
    case .tanh:
      // With s = 1 / (1 + e^u): s - x s (1 - s) u'.
      let c = -2 * (2 / Element.pi).squareRoot()
      for i in 0..<x.rows {
        let (xi, di) = (x.row(i), dy.row(i))
        for j in 0..<x.columns {
          let square = xi[j] * xi[j]
          let s = 1 / (1 + Element.exponential(c * (xi[j] + 0.044715 * square * xi[j])))
          di[j] *= s - xi[j] * s * (1 - s) * c * (1 + 3 * 0.044715 * square)
        }
      }
    case .quick:
      for i in 0..<x.rows {
        let (xi, di) = (x.row(i), dy.row(i))
        for j in 0..<x.columns {
          let s = 1 / (1 + Element.exponential(-1.702 * xi[j]))
          di[j] *= s + 1.702 * xi[j] * s * (1 - s)
        }
      }
    }
  }
}
