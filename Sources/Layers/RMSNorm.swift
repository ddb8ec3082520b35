// Root-mean-square normalisation: y = w x / sqrt(mean(x^2) + eps).
import Tensors

/// A frozen RMSNorm (transformers `Qwen2RMSNorm`); see `Norm` for groups.
package struct RMSNorm<Element: Scalar>: Norm {
  /// `[W]`
  package let weight: [Element]
  package let epsilon: Element

  /// - Parameter offset: added to every stored weight: 1 where a checkpoint holds what a weight has beyond 1.
  package init(weight: StoredTensor, epsilon: Double, offset: Element = 0) {
    self.weight = weight.values().map { $0 + offset }
    self.epsilon = Element(epsilon)
  }

  /// y = w x s with s = 1 / sqrt(mean(x^2) + eps).   x [R, groups W] -> y [R, groups W]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(_ x: Matrix<Element>) -> Matrix<Element> {
    let W = weight.count
    precondition(x.columns % W == 0)
    let y = Matrix<Element>(uninitialized: x.rows, x.columns)
    weight.withUnsafeBufferPointer { w in
      for i in 0..<x.rows {
        for group in stride(from: 0, to: x.columns, by: W) {
          let (xi, yi) = (x.row(i) + group, y.row(i) + group)
          let s = scale(xi, W)
          for j in 0..<W { yi[j] = w[j] * (xi[j] * s) }
        }
      }
    }
    return y
  }

  /// dx += s (w dy) - x s^3 mean(x w dy); s is recomputed from x.   dy, x, dx [R, groups W]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(_ dy: Matrix<Element>, input x: Matrix<Element>, addingTo dx: Matrix<Element>) {
    let W = weight.count
    precondition(x.columns % W == 0 && dy.rows == x.rows && dy.columns == x.columns)
    precondition(dx.rows == x.rows && dx.columns == x.columns)
    let weighted = Matrix<Element>(uninitialized: 1, W)
    let d = weighted.row(0)
    weight.withUnsafeBufferPointer { w in
      for i in 0..<x.rows {
        for group in stride(from: 0, to: x.columns, by: W) {
          let (xi, dyi, dxi) = (x.row(i) + group, dy.row(i) + group, dx.row(i) + group)
          let s = scale(xi, W)
          for j in 0..<W { d[j] = w[j] * dyi[j] }
          let c = Element.dot(W, xi, d) * s * s * s / Element(W)
          for j in 0..<W { dxi[j] += d[j] * s - xi[j] * c }
        }
      }
    }
  }

  @inline(__always)
  private func scale(_ x: UnsafePointer<Element>, _ W: Int) -> Element {
    1 / (Element.dot(W, x, x) / Element(W) + epsilon).squareRoot()
  }
}
