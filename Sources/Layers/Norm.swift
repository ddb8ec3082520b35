// What the two kinds of norms have in common for the layers around them.
import Tensors

/// A frozen norm over groups of a row's numbers, as many each as it has weights: a row is one group or, as heads and
/// the patches of a visual token are, several that are normalised each by itself.
public protocol Norm<Element>: Sendable {
  associatedtype Element: Scalar
  /// x [R, groups W] -> y [R, groups W]
  func forward(_ x: Matrix<Element>) -> Matrix<Element>
}
