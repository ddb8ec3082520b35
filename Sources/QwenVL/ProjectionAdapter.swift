// The one hook of the decoder: what may add to the output of a projection, and what wants its gradient.
import Tensors

/// The tokens that an adapter acts on. What it adds reaches the tokens after them, and no token before the first of
/// them.
package enum AdaptedTokens: Sendable {
  /// Visual tokens, at keys and values only.
  case visual
  case all

  /// The adapted tokens among `count`.
  func spans(visual: [Range<Int>], count: Int) -> [Range<Int>] {
    switch self {
    case .visual: visual
    case .all: count > 0 ? [0..<count] : []
    }
  }
}

/// The rows of a module's input that an adapter acts on.
package struct AdaptedRows: Sendable {
  package let spans: [Range<Int>]
  /// Of all rows, in training with dropout.
  package let dropout: TokenDropout?

  package init(spans: [Range<Int>], dropout: TokenDropout? = nil) { (self.spans, self.dropout) = (spans, dropout) }

  /// All of some rows.
  package init(all count: Int, dropout: TokenDropout? = nil) {
    self.init(spans: count > 0 ? [0..<count] : [], dropout: dropout)
  }
}

/// What decides the numbers that a dropout leaves out of a token's inputs: a key of each token, so that they do not
/// depend on what else is computed, and are the same when backward needs them again.
package struct TokenDropout: Sendable {
  /// Share of the numbers that are left out.
  package let rate: Double
  package let keys: [UInt64]

  package init(rate: Double, keys: [UInt64]) { (self.rate, self.keys) = (rate, keys) }

  /// Those of some tokens.
  func gathering(_ tokens: [Int]) -> TokenDropout { TokenDropout(rate: rate, keys: tokens.map { keys[$0] }) }
  func rows(_ range: Range<Int>) -> TokenDropout { TokenDropout(rate: rate, keys: Array(keys[range])) }
}

/// Something that acts on the output of projections, or watches its gradient there. The decoder knows nothing more of
/// adapters and influence probes.
package protocol ProjectionAdapter<Element>: AnyObject {
  associatedtype Element: Scalar

  var tokens: AdaptedTokens { get }

  /// The lowest layer that this acts on: backward ends there. Nil: there is nothing to learn, no backward.
  var lowestLayer: Int? { get }

  /// Whether it acts on a projection of a layer: backward computes in the lowest layer only what those need.
  func adapts(_ layer: Int, _ projection: Projection) -> Bool

  /// What acts on the vision tower; nil: nothing does. Otherwise backward goes on through the embeddings.
  var tower: (any TowerAdapter<Element>)? { get }

  /// Adds to a projection's output, to queries and keys before their rotation.
  /// - Parameters:
  ///   - input: the projection's input, `[N, in]`.
  ///   - output: its output, `[N, out]`, changed in place.
  ///   - rows: the adapted tokens, as rows of `input`.
  func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, rows: AdaptedRows)

  /// Takes the gradient of a projection's adapted output.
  /// - Parameters:
  ///   - input: as in forward, for the tokens that backward covers.
  ///   - values: the adapted values of the same tokens if the projection is v, otherwise nil.
  ///   - dOutput: the gradient of the output.
  ///   - rows: the adapted tokens, as rows of `input`.
  ///   - dInput: the gradient of `input`, to be added to; nil at the lowest layer, where it is not needed.
  func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?, dOutput: Matrix<Element>,
    rows: AdaptedRows, dInput: Matrix<Element>?)
}

extension ProjectionAdapter {
  package var tower: (any TowerAdapter<Element>)? { nil }
}

/// An adapter at one layer, with the tokens that it acts on there.
struct LayerAdapter<Element: Scalar> {
  let adapter: any ProjectionAdapter<Element>
  let layer: Int
  /// The visual tokens: in forward among all, in backward among those that it covers.
  let visual: [Range<Int>]
  /// Of the same tokens, and of the queries among them.
  let dropout, queryDropout: TokenDropout?

  /// In forward.
  init(
    _ adapter: any ProjectionAdapter<Element>, layer: Int, tokens: PassTokens<Element>, queries: Queries<Element>
  ) {
    (self.adapter, self.layer, visual, dropout) = (adapter, layer, tokens.visual, tokens.dropout)
    queryDropout = tokens.dropout?.gathering(queries.positions)
  }

  /// In backward.
  init(
    _ adapter: any ProjectionAdapter<Element>, layer: Int, tokens: PassTokens<Element>, queries: Queries<Element>,
    covered: Covered<Element>
  ) {
    (self.adapter, self.layer) = (adapter, layer)
    let first = covered.tokens.lowerBound
    visual = tokens.visual.map { $0.lowerBound - first..<$0.upperBound - first }
    dropout = tokens.dropout?.rows(covered.tokens)
    queryDropout = tokens.dropout?.gathering(Array(queries.positions[covered.queries]))
  }

  /// The adapted rows of a projection's input: of all tokens, or of the queries.
  private func rows(of input: Matrix<Element>) -> AdaptedRows {
    AdaptedRows(
      spans: adapter.tokens.spans(visual: visual, count: input.rows),
      dropout: dropout?.keys.count == input.rows ? dropout : queryDropout)
  }

  /// Adds to a projection's output.   input [N, in], output [N, out]
  func forward(_ projection: Projection, input: Matrix<Element>, output: Matrix<Element>) {
    let rows = rows(of: input)
    if !rows.spans.isEmpty { adapter.forward(layer: layer, projection, input: input, output: output, rows: rows) }
  }

  /// Gives the adapter a projection's gradient, and adds its part to `dInput`.
  func backward(
    _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>? = nil, dOutput: Matrix<Element>,
    addingTo dInput: Matrix<Element>?
  ) {
    adapter.backward(
      layer: layer, projection, input: input, values: values, dOutput: dOutput, rows: rows(of: input), dInput: dInput)
  }

  /// Whether backward ends in this layer.
  var isLowest: Bool { layer == adapter.lowestLayer && adapter.tower == nil }

  func adapts(_ projection: Projection) -> Bool { adapter.adapts(layer, projection) }

  /// Whether the gradient of one of these projections' outputs is needed, for the layer below or the adapter itself.
  func needs(_ projections: Projection...) -> Bool { needs(projections) }
  func needs(_ projections: [Projection]) -> Bool { !isLowest || projections.contains(where: adapts) }
}
