// One decoder layer: forward for some or all tokens, backward for input gradients only. Its token mixer is attention or
// a Gated DeltaNet; the MLP is in DecoderLayer+MLP.swift.
import Layers
import Tensors

/// A frozen decoder layer (transformers `Qwen2_5_VLDecoderLayer`, `Qwen3VLTextDecoderLayer`, `Qwen3_5DecoderLayer`).
///
/// In shapes N are the new tokens of a pass, Q the queries among them, H the hidden size, D a head's dimension.
struct DecoderLayer<Element: Scalar>: Sendable {
  let index: Int
  let inputNorm: RMSNorm<Element>
  let mixer: TokenMixer<Element>
  let postAttentionNorm: RMSNorm<Element>
  let mlp: GatedMLP<Element>

  /// What backward needs of forward; dropped at once where no backward follows.
  struct SavedActivations: Sendable {
    let queries: Queries<Element>
    /// Layer input `[N, H]`.
    let x: Matrix<Element>
    let mixer: TokenMixer<Element>.Activations
    /// Residual stream after the mixer `[Q, H]`.
    let h: Matrix<Element>
    let mlp: GatedMLP<Element>.Activations

    /// Without the input, which is the output of the layer below.
    var byteCount: Int { mixer.byteCount + h.byteCount + mlp.byteCount }
  }

  /// y = h + mlp(h), h = x + mixer(norm(x)). The adapter adds to what projections give.
  /// - Parameters:
  ///   - x: the new tokens, `[N, H]`.
  ///   - queries: which of them are queries.
  /// - Returns: y `[Q, H]`.
  func forward(
    _ x: Matrix<Element>, tokens: PassTokens<Element>, queries: Queries<Element>,
    adapter: (any ProjectionAdapter<Element>)?
  ) -> (y: Matrix<Element>, saved: SavedActivations) {
    let adapter = adapter.map { LayerAdapter($0, layer: index, tokens: tokens, queries: queries) }
    let (h, activations) = mixer.forward(
      inputNorm.forward(x), tokens: tokens, queries: queries, adapter, layer: index)
    h.add(queries.select(x))
    let (y, mlp) = mlpForward(h, adapter)
    return (y, SavedActivations(queries: queries, x: x, mixer: activations, h: h, mlp: mlp))
  }

  /// dx = dh + norm'(mixer'(dh)), dh = dy + mlp'(dy), and the adapter's part.
  /// - Parameters:
  ///   - dy: the gradient of y for the queries from `first` on; changed in place.
  ///   - first: the first adapted token.
  /// - Returns: dx `[N - first, H]`, or nil in the lowest adapted layer, where it ends at the adapted projections.
  func backward(
    _ dy: Matrix<Element>, _ saved: SavedActivations, from first: Int, tokens: PassTokens<Element>,
    adapter: any ProjectionAdapter<Element>
  ) -> Matrix<Element>? {
    let covered = Covered(from: first, tokens: tokens, queries: saved.queries)
    let adapter = LayerAdapter(adapter, layer: index, tokens: tokens, queries: saved.queries, covered: covered)
    let x = saved.x.rows(covered.tokens)
    guard let dh = mlpBackward(dy, saved, covered, adapter),
      let dn = mixer.backward(dh, inputNorm.forward(x), saved.mixer, covered, adapter)
    else { return nil }
    let dx = covered.spread(dh)
    inputNorm.backward(dn, input: x, addingTo: dx)
    return dx
  }
}
