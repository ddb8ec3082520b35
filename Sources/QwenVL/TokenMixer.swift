// What mixes the tokens of a decoder layer: attention, or a Gated DeltaNet.
import Layers
import Tensors

/// The token mixer of a layer. Everything around it is the same: norms, residuals, MLP.
enum TokenMixer<Element: Scalar>: Sendable {
  case attention(AttentionMixer<Element>)
  case deltaNet(GatedDeltaNet<Element>)

  /// What backward needs of forward.
  enum Activations: Sendable {
    case attention(AttentionMixer<Element>.Activations)
    case deltaNet(GatedDeltaNet<Element>.Activations)

    var byteCount: Int {
      switch self {
      case .attention(let activations): activations.byteCount
      case .deltaNet(let activations): activations.byteCount
      }
    }
  }

  /// - Parameters:
  ///   - n: the normed input of the new tokens, `[N, H]`.
  ///   - queries: the tokens whose output is wanted.
  /// - Returns: what is added to the residual stream, `[Q, H]`.
  func forward(
    _ n: Matrix<Element>, tokens: PassTokens<Element>, queries: Queries<Element>, _ adapter: LayerAdapter<Element>?,
    layer: Int
  ) -> (output: Matrix<Element>, activations: Activations) {
    switch self {
    case .attention(let mixer):
      let (output, activations) = mixer.forward(n, tokens: tokens, queries: queries, adapter, layer: layer)
      return (output, .attention(activations))
    case .deltaNet(let mixer):
      let (output, activations) = mixer.forward(n, tokens: tokens, queries: queries, adapter, layer: layer)
      return (output, .deltaNet(activations))
    }
  }

  /// - Parameters:
  ///   - dOutput: the gradient of the output at the covered queries, `[Q, H]`.
  ///   - n: the normed input of the covered tokens, `[N, H]`.
  /// - Returns: the gradient of n, or nil in the lowest adapted layer, where only the adapter takes gradients.
  func backward(
    _ dOutput: Matrix<Element>, _ n: Matrix<Element>, _ activations: Activations, _ covered: Covered<Element>,
    _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    switch (self, activations) {
    case (.attention(let mixer), .attention(let activations)):
      mixer.backward(dOutput, n, activations, covered, adapter)
    case (.deltaNet(let mixer), .deltaNet(let activations)):
      mixer.backward(dOutput, n, activations, covered, adapter)
    default: preconditionFailure("activations of another layer")
    }
  }
}

/// What backward covers: the tokens from the first adapted one on. Those before it depend on no adapter and have no
/// gradient.
struct Covered<Element: Scalar> {
  /// Tokens among the new ones.
  let tokens: Range<Int>
  /// Queries among those of the layer.
  let queries: Range<Int>
  /// Which of the covered tokens they are.
  let queryPositions: [Int]
  /// Rotation of the covered tokens.
  let rotary: Rotary<Element>
  /// Whether all covered tokens are queries.
  var allAreQueries: Bool { queryPositions.count == tokens.count }

  init(from first: Int, tokens all: PassTokens<Element>, queries: Queries<Element>) {
    let positions = queries.positions
    tokens = first..<all.count
    self.queries = (positions.firstIndex { $0 >= first } ?? positions.count)..<positions.count
    queryPositions = positions[self.queries].map { $0 - first }
    rotary = all.rotary.tokens(tokens)
  }

  /// The queries' rows of what the covered tokens have, without a copy where all are queries.
  func select(_ x: Matrix<Element>) -> Matrix<Element> { allAreQueries ? x : x.gathering(queryPositions) }

  /// The queries' rows at their tokens, zeros elsewhere; without a copy where all are queries.   [Q, C] -> [N, C]
  func spread(_ x: Matrix<Element>) -> Matrix<Element> {
    if allAreQueries { return x }
    let y = Matrix<Element>(zeros: tokens.count, x.columns)
    y.scatterAdd(x, at: queryPositions)
    return y
  }
}
