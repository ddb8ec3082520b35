// The activation x sigmoid(x), number by number, for the loops of the layers that have one.
import Tensors

/// silu(x) = x sigmoid(x).
enum SiLU {
  @inline(__always)
  static func value<Element: Scalar>(_ x: Element) -> Element { x / (1 + Element.exponential(-x)) }

  /// silu'(x) = s (1 + x (1 - s)), s = sigmoid(x).
  @inline(__always)
  static func slope<Element: Scalar>(_ x: Element) -> Element {
    let s = 1 / (1 + Element.exponential(-x))
    return s * (1 + x * (1 - s))
  }
}
