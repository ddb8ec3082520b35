// Layer normalisation: y = w (x - mean(x)) / sqrt(var(x) + eps) + b.
import Tensors

/// A frozen LayerNorm (torch `nn.LayerNorm`).
package struct LayerNorm<Element: Scalar>: Norm {
  /// `[W]`
  package let weight, bias: [Element]
  package let epsilon: Element

  package init(weight: StoredTensor, bias: StoredTensor, epsilon: Double) {
    self.weight = weight.values()
    self.bias = bias.values()
    self.epsilon = Element(epsilon)
    precondition(self.weight.count == self.bias.count)
  }

  /// y = w (x - m) s + b with m = mean(x), s = 1 / sqrt(mean((x - m)^2) + eps).   x [R, groups W] -> y [R, groups W]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(_ x: Matrix<Element>) -> Matrix<Element> {
    let W = weight.count
    precondition(x.columns % W == 0)
    let y = Matrix<Element>(uninitialized: x.rows, x.columns)
    weight.withUnsafeBufferPointer { w in
      bias.withUnsafeBufferPointer { b in
        for i in 0..<x.rows {
          for group in stride(from: 0, to: x.columns, by: W) {
            let (xi, yi) = (x.row(i) + group, y.row(i) + group)
            let m = Element.sum(W, xi) / Element(W)
            for j in 0..<W { yi[j] = xi[j] - m }
            let s = 1 / (Element.dot(W, yi, yi) / Element(W) + epsilon).squareRoot()
            for j in 0..<W { yi[j] = w[j] * (yi[j] * s) + b[j] }
          }
        }
      }
    }
    return y
  }

  /// With z = (x - m) s and d = w dy: dx += s (d - mean(d) - z mean(d z)); m and s are recomputed from x.
  /// dy, x, dx [R, groups W]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(_ dy: Matrix<Element>, input x: Matrix<Element>, addingTo dx: Matrix<Element>) {
    let W = weight.count
    precondition(x.columns % W == 0 && dy.rows == x.rows && dy.columns == x.columns)
    precondition(dx.rows == x.rows && dx.columns == x.columns)
    let scratch = Matrix<Element>(uninitialized: 2, W)
    let (zi, di) = (scratch.row(0), scratch.row(1))
    weight.withUnsafeBufferPointer { w in
      for i in 0..<x.rows {
        for group in stride(from: 0, to: x.columns, by: W) {
          let (xi, dyi, dxi) = (x.row(i) + group, dy.row(i) + group, dx.row(i) + group)
          let m = Element.sum(W, xi) / Element(W)
          for j in 0..<W { zi[j] = xi[j] - m }
          let s = 1 / (Element.dot(W, zi, zi) / Element(W) + epsilon).squareRoot()
          for j in 0..<W {
            zi[j] *= s
            di[j] = w[j] * dyi[j]
          }
          let (mean, along) = (Element.sum(W, di) / Element(W), Element.dot(W, di, zi) / Element(W))
          for j in 0..<W { dxi[j] += s * (di[j] - mean - zi[j] * along) }
        }
      }
    }
  }
}
