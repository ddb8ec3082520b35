// A frozen linear layer: y = x W^T + b, with an input gradient only.
import Tensors

/// A frozen linear layer over a stored weight `[out, in]`; there is no weight gradient, and no place to put one.
package struct Linear<Element: Scalar>: Sendable {
  package let weight: StoredMatrix
  /// `[out]`, or nil.
  package let bias: [Element]?

  package init(weight: StoredMatrix, bias: StoredTensor? = nil) {
    self.weight = weight
    self.bias = bias?.values()
    precondition(bias.map { $0.count == self.weight.rows } ?? true)
  }

  private init(_ weight: StoredMatrix, bias: [Element]?) { (self.weight, self.bias) = (weight, bias) }

  /// The layer of some of the outputs.
  package func outputs(_ range: Range<Int>) -> Linear {
    Linear(weight.rows(range), bias: bias.map { Array($0[range]) })
  }

  /// The part of some of the inputs, without bias.
  package func inputs(_ range: Range<Int>) -> Linear { Linear(weight.columns(range), bias: nil) }

  /// x as what layers of this precision multiply: rounded once, however many of them do.   x [R, in]
  package func factor(_ x: Matrix<Element>) -> GEMMFactor<Element> { GEMMFactor(x, weight.precision) }

  /// y = x W^T + b.   x [R, in] -> y [R, out]
  package func forward(_ x: Matrix<Element>) -> Matrix<Element> { forward(factor(x)) }

  /// The same of a factor of the weight's precision.
  package func forward(_ x: GEMMFactor<Element>) -> Matrix<Element> {
    let y: Matrix<Element> = weight.timesTransposed(x)
    if let bias { y.add(toEveryRow: bias) }
    return y
  }

  /// dx = dy W.   dy [R, out] -> dx [R, in]
  package func backward(_ dy: Matrix<Element>) -> Matrix<Element> { backward(factor(dy)) }
  package func backward(_ dy: GEMMFactor<Element>) -> Matrix<Element> {
    let dx = Matrix<Element>(uninitialized: dy.rows, weight.columns)
    weight.times(dy, into: dx, accumulate: false)
    return dx
  }

  /// dx += dy W.
  package func backward(_ dy: Matrix<Element>, addingTo dx: Matrix<Element>) { backward(factor(dy), addingTo: dx) }
  package func backward(_ dy: GEMMFactor<Element>, addingTo dx: Matrix<Element>) {
    weight.times(dy, into: dx, accumulate: true)
  }
}
