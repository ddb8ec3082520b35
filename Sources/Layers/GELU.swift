// The merger's activation: y = x/2 (1 + erf(x / sqrt 2)); the vision tower has no backward.
import Tensors

/// The exact GELU (torch `nn.GELU()`).
public enum GELU {
  /// In place.   x [R, I]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public static func forward<Element: Scalar>(inPlace x: Matrix<Element>) {
    let c = Element(0.5).squareRoot()
    for i in 0..<x.rows {
      let xi = x.row(i)
      for j in 0..<x.columns { xi[j] = xi[j] / 2 * (1 + Element.errorFunction(xi[j] * c)) }
    }
  }
}
