// One decoder layer: forward for some or all tokens, backward for input gradients only. The parts are in
// DecoderLayer+Projections.swift and DecoderLayer+MLP.swift, each next to the part of backward that inverts it.
import Layers
import Tensors

/// A frozen decoder layer (transformers `Qwen2_5_VLDecoderLayer`, `Qwen3VLTextDecoderLayer`).
///
/// In shapes N are the new tokens of a pass, Q the queries among them, H the hidden size, D a head's dimension.
struct DecoderLayer<Element: Scalar>: Sendable {
  let index: Int
  let inputNorm: RMSNorm<Element>
  let queryProjection, keyProjection, valueProjection: Linear<Element>
  let attention: Attention<Element>
  let outputProjection: Linear<Element>
  let postAttentionNorm: RMSNorm<Element>
  let gateProjection, upProjection, downProjection: Linear<Element>
  /// Norms of queries and keys before their rotation, of each head separately; nil: there are none.
  var headNorms: (query: RMSNorm<Element>, key: RMSNorm<Element>)?

  /// What backward needs of forward; dropped at once where no backward follows.
  struct SavedActivations: Sendable {
    let queries: Queries<Element>
    /// Layer input `[N, H]`.
    let x: Matrix<Element>
    /// Queries `[Q, heads D]`.
    let query: ProjectedHeads
    /// Rotated keys and adapted values, those of the past first, `[keys, kvHeads D]`.
    let keys, values: Matrix<Element>
    /// Keys of the new tokens before their norm `[N, kvHeads D]`, if the layer has `headNorms`.
    let unnormedKeys: Matrix<Element>?
    let attended: Attention<Element>.Result
    /// Residual stream after attention `[Q, H]`.
    let h: Matrix<Element>
    let mlp: MLPActivations

    /// Without the input, which is the output of the layer below.
    var byteCount: Int {
      [
        query.rotated, query.unnormed, keys, values, unnormedKeys, attended.output, attended.logSumExp, h, mlp.gate,
        mlp.up,
      ].reduce(0) { $0 + ($1.map { $0.rows * $0.columns } ?? 0) * MemoryLayout<Element>.stride }
    }
  }

  /// y = h + mlp(h), h = x + O attention(q, k, v); q, k, v are projections of n = norm(x). The adapter adds to what Q,
  /// K, V and O give.
  /// - Parameters:
  ///   - x: the new tokens, `[N, H]`.
  ///   - queries: which of them are queries.
  /// - Returns: y `[Q, H]`.
  func forward(
    _ x: Matrix<Element>, tokens: PassTokens<Element>, queries: Queries<Element>,
    adapter: (any ProjectionAdapter<Element>)?
  ) -> (y: Matrix<Element>, saved: SavedActivations) {
    let adapter = adapter.map { LayerAdapter(adapter: $0, layer: index, visual: tokens.visual) }
    let n = inputNorm.forward(x)
    let key = key(n, rotary: tokens.rotary, adapter)
    let value = value(n, adapter)
    let query = query(queries.select(n), rotary: queries.rotary, adapter)
    let (keys, values) = tokens.past.joining(key.rotated, value, at: tokens.newKeys, layer: index)
    let attended = attention.forward(q: query.rotated, k: keys, v: values, pattern: queries.pattern)
    let h = output(attended.output, residual: queries.select(x), adapter)
    let (y, mlp) = mlp(h)
    return (
      y,
      SavedActivations(
        queries: queries, x: x, query: query, keys: keys, values: values, unnormedKeys: key.unnormed,
        attended: attended, h: h, mlp: mlp)
    )
  }

  /// What backward covers: the tokens from the first adapted one on. Those before it depend on no adapter and have no
  /// gradient.
  struct Covered {
    /// Tokens among the new ones.
    let tokens: Range<Int>
    /// Their keys among all.
    let keys: Range<Int>
    /// Queries among those of the layer.
    let queries: Range<Int>
    /// Which of the covered tokens they are.
    let queryPositions: [Int]
    /// Whether all covered tokens are queries.
    var allAreQueries: Bool { queryPositions.count == tokens.count }

    init(from first: Int, _ saved: SavedActivations) {
      let positions = saved.queries.positions
      tokens = first..<saved.x.rows
      keys = saved.keys.rows - tokens.count..<saved.keys.rows
      queries = (positions.firstIndex { $0 >= first } ?? positions.count)..<positions.count
      queryPositions = positions[queries].map { $0 - first }
    }
  }

  /// dx = dh + norm'(dn), dn = dq Q + dk K + dv V, (dq, dk, dv) = attention'(dh O), dh = dy + mlp'(dy), and the
  /// adapter's part of each.
  /// - Parameters:
  ///   - dy: the gradient of y for the queries from `first` on.
  ///   - first: the first adapted token.
  /// - Returns: dx `[N - first, H]`, or nil in the lowest adapted layer, where it ends at the adapted projections.
  func backward(
    _ dy: Matrix<Element>, _ saved: SavedActivations, from first: Int, tokens: PassTokens<Element>,
    adapter: any ProjectionAdapter<Element>
  ) -> Matrix<Element>? {
    let covered = Covered(from: first, saved)
    let adapter = LayerAdapter(
      adapter: adapter, layer: index, visual: tokens.visual.map { $0.lowerBound - first..<$0.upperBound - first })
    let dh = mlpBackward(dy, saved, covered)
    guard let dAttended = outputBackward(dh, saved, covered, adapter) else { return nil }
    let gradients = attentionBackward(dAttended, saved, covered, adapter)
    let x = saved.x.rows(covered.tokens)
    let n = inputNorm.forward(x)
    let dn = valueBackward(gradients.v, n, saved, covered, adapter)
    guard let dq = gradients.q, let dk = gradients.k else { return nil }
    keyBackward(dk, n, saved, covered, rotary: tokens.rotary, adapter, addingTo: dn)
    queryBackward(dq, n, saved, covered, adapter, addingTo: dn)
    guard let dn else { return nil }
    let dx = inputNorm.backward(dn, input: x)
    dx.scatterAdd(dh, at: covered.queryPositions)
    return dx
  }
}
