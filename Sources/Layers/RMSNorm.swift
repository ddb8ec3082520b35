// Root-mean-square normalisation: y = w x / sqrt(mean(x^2) + eps).
import Tensors

/// A frozen RMSNorm (transformers `Qwen2RMSNorm`).
public struct RMSNorm<Element: Scalar>: Sendable {
  /// `[H]`
  public let weight: [Element]
  public let epsilon: Element

  public init(weight: StoredTensor, epsilon: Double) {
    self.weight = weight.values()
    self.epsilon = Element(epsilon)
  }

  /// y = w x s with s = 1 / sqrt(mean(x^2) + eps).   x [R, H] -> y [R, H]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public func forward(_ x: Matrix<Element>) -> Matrix<Element> {
    let (R, H) = (x.rows, x.columns)
    precondition(H == weight.count)
    let y = Matrix<Element>(uninitialized: R, H)
    weight.withUnsafeBufferPointer { w in
      for i in 0..<R {
        let (xi, yi) = (x.row(i), y.row(i))
        let s = scale(xi, H)
        for j in 0..<H { yi[j] = w[j] * (xi[j] * s) }
      }
    }
    return y
  }

  /// dx = s (w dy) - x s^3 mean(x w dy); s is recomputed from x.   dy, x [R, H] -> dx [R, H]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public func backward(_ dy: Matrix<Element>, input x: Matrix<Element>) -> Matrix<Element> {
    let (R, H) = (x.rows, x.columns)
    precondition(H == weight.count && dy.rows == R && dy.columns == H)
    let dx = Matrix<Element>(uninitialized: R, H)
    weight.withUnsafeBufferPointer { w in
      for i in 0..<R {
        let (xi, dyi, dxi) = (x.row(i), dy.row(i), dx.row(i))
        let s = scale(xi, H)
        for j in 0..<H { dxi[j] = w[j] * dyi[j] }
        let c = Element.dot(H, xi, dxi) * s * s * s / Element(H)
        for j in 0..<H { dxi[j] = dxi[j] * s - xi[j] * c }
      }
    }
    return dx
  }

  @inline(__always)
  private func scale(_ x: UnsafePointer<Element>, _ H: Int) -> Element {
    1 / (Element.dot(H, x, x) / Element(H) + epsilon).squareRoot()
  }
}
