// The interface that both kinds of norms have for the layers around them.
import Tensors

/// A frozen norm over groups of a row's numbers. A group has as many numbers as the norm has weights: a row is one
/// group, or several that are normalised separately (the heads of a token, the patches of a visual token).
package protocol Norm<Element>: Sendable {
  associatedtype Element: Scalar
  /// x [R, groups W] -> y [R, groups W]
  func forward(_ x: Matrix<Element>) -> Matrix<Element>
  /// Adds the gradient of x to dx.   dy, x, dx [R, groups W]
  func backward(_ dy: Matrix<Element>, input x: Matrix<Element>, addingTo dx: Matrix<Element>)
}

extension Norm {
  /// dy, x [R, groups W] -> dx [R, groups W]
  package func backward(_ dy: Matrix<Element>, input x: Matrix<Element>) -> Matrix<Element> {
    let dx = Matrix<Element>(zeros: x.rows, x.columns)
    backward(dy, input: x, addingTo: dx)
    return dx
  }
}
