// The activation of mergers and of MLPs without a gate; the vision tower has no backward.
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
}
