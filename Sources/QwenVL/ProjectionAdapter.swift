// The one hook of the decoder: what may add to the output of an attention projection, and what wants its gradient.
import Tensors

/// A projection of a decoder layer's attention, by its name in checkpoints and in PEFT's `target_modules`.
package enum Projection: String, Sendable, CaseIterable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
}

/// The tokens that an adapter acts on. What it adds reaches the rows behind them, and no row before the first of them.
package enum AdaptedTokens: Sendable {
  /// Visual tokens, at keys and values only.
  case visual
  case all

  /// The rows that are adapted among `count`.
  func rows(visual: [Range<Int>], of count: Int) -> [Range<Int>] {
    switch self {
    case .visual: visual
    case .all: count > 0 ? [0..<count] : []
    }
  }
}

/// Something that acts on the output of attention projections, or watches its gradient there. The decoder knows nothing
/// more of adapters and influence probes.
package protocol ProjectionAdapter<Element>: AnyObject {
  associatedtype Element: Scalar

  var tokens: AdaptedTokens { get }

  /// The lowest layer that this acts on: backward ends there. Nil: there is nothing to learn, no backward.
  var lowestLayer: Int? { get }

  /// Whether it acts on a projection of the lowest layer: backward computes there only what those need.
  func adaptsAtLowestLayer(_ projection: Projection) -> Bool

  /// Adds to a projection's output, queries and keys before their rotation.
  /// - Parameters:
  ///   - input: the projection's input, `[N, in]`.
  ///   - output: its output, `[N, out]`, changed in place.
  ///   - rows: those of the adapted tokens.
  func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, rows: [Range<Int>])

  /// Takes the gradient of a projection's adapted output.
  /// - Parameters:
  ///   - input: as in forward, for the rows that backward covers.
  ///   - values: the adapted values of the same rows where the projection is v, otherwise nil.
  ///   - dOutput: the gradient of the output.
  ///   - rows: those of the adapted tokens, counted as those of `input`.
  ///   - dInput: the gradient of `input`, to be added to; nil at the lowest layer, where nobody needs it.
  func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?, dOutput: Matrix<Element>,
    rows: [Range<Int>], dInput: Matrix<Element>?)
}
