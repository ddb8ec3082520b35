// The one hook of the decoder: what may add to the values of visual tokens, and what wants their gradient.
import Tensors

/// Something that acts on the output of `v_proj` at visual tokens, or watches its gradient there. The decoder knows
/// nothing more of adapters and influence probes.
public protocol ValueAdapter<Element>: AnyObject {
  associatedtype Element: Scalar

  /// The lowest layer whose values this acts on: backward ends there. Nil: there is nothing to learn, no backward.
  var lowestLayer: Int? { get }

  /// Adds to the values of visual tokens.
  /// - Parameters:
  ///   - input: `v_proj`'s input, `[T, H]`.
  ///   - values: `v_proj`'s output, `[T, kvHeads D]`, changed in place.
  ///   - visual: the rows of visual tokens.
  func forward(layer: Int, input: Matrix<Element>, values: Matrix<Element>, visual: [Range<Int>])

  /// Takes the gradient of the adapted values.
  /// - Parameters:
  ///   - input: as in forward, for the rows that backward covers.
  ///   - values: the adapted values of the same rows.
  ///   - dValues: their gradient.
  ///   - visual: the rows of visual tokens, counted as those of `input`.
  ///   - dInput: the gradient of `input`, to be added to; nil at the lowest layer, where nobody needs it.
  func backward(
    layer: Int, input: Matrix<Element>, values: Matrix<Element>, dValues: Matrix<Element>, visual: [Range<Int>],
    dInput: Matrix<Element>?)
}
