// The activation x sigmoid(x), number by number, for the loops of the layers that have one.
import Tensors

/// silu(x) = x sigmoid(x).
enum SiLU {
  @inline(__always)
  static func value<Element: Scalar>(_ x: Element) -> Element { x / divisor(x) }

  /// 1 + e^-x, what silu divides x by.
  @inline(__always)
  static func divisor<Element: Scalar>(_ x: Element) -> Element { 1 + Element.exponential(-x) }

  /// 1 / (1 + e^-x).
  @inline(__always)
  static func sigmoid<Element: Scalar>(_ x: Element) -> Element { 1 / divisor(x) }

  /// silu'(x) = s (1 + x (1 - s)), s = sigmoid(x).
  @inline(__always)
  static func slope<Element: Scalar>(_ x: Element) -> Element {
    let s = sigmoid(x)
    return s * (1 + x * (1 - s))
  }
}
