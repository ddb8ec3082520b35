// One decoder layer: forward for some or all rows, backward for input gradients only, side by side.
import Layers
import Tensors

/// A frozen decoder layer (transformers `Qwen2_5_VLDecoderLayer`, `Qwen3VLTextDecoderLayer`).
struct DecoderLayer<Element: Scalar>: Sendable {
  let index: Int
  let inputNorm: RMSNorm<Element>
  let queryProjection, keyProjection, valueProjection: Linear<Element>
  let attention: Attention<Element>
  let outputProjection: Linear<Element>
  let postAttentionNorm: RMSNorm<Element>
  let gateProjection, upProjection, downProjection: Linear<Element>
  /// Norms of queries and keys before they are turned, each head by itself; nil: there are none.
  var headNorms: (query: RMSNorm<Element>, key: RMSNorm<Element>)?

  /// What backward needs of forward; dropped at once where no backward follows.
  struct Tape: Sendable {
    let queries: Queries<Element>
    /// Layer input `[N, H]`.
    let x: Matrix<Element>
    /// Rotated queries `[Q, heads D]`; rotated keys and adapted values, those of earlier rows first,
    /// `[earlier + N, kvHeads D]`.
    let q, k, v: Matrix<Element>
    /// Queries `[Q, heads D]` and keys `[N, kvHeads D]` before their norms, where there are norms.
    let unnormed: (q: Matrix<Element>, k: Matrix<Element>)?
    let attended: Attention<Element>.Result
    /// Residual stream behind attention `[Q, H]`.
    let h: Matrix<Element>
    /// MLP pre-activations `[Q, I]`.
    let gate, up: Matrix<Element>

    /// Without the input, which is the layer's below.
    var byteCount: Int {
      [q, k, v, unnormed?.q, unnormed?.k, attended.output, attended.logSumExp, h, gate, up].reduce(0) {
        $0 + ($1.map { $0.rows * $0.columns } ?? 0) * MemoryLayout<Element>.stride
      }
    }
  }

  /// h = x + O(attention(Q n, K n, V n + adapter)), y = h + down(silu(gate m) up m), n = norm(x), m = norm(h); Q n and
  /// K n normed where there are `headNorms`.
  /// - Parameters:
  ///   - x: rows new to the model, `[N, H]`.
  ///   - queries: which of them are asked for.
  ///   - cache: keys and values of other rows, and where those of the new rows go.
  ///   - earlier: keys and values of the rows before; with neither there are no others.
  /// - Returns: y `[Q, H]`.
  func forward(
    _ x: Matrix<Element>, rotary: Rotary<Element>, queries: Queries<Element>, visual: [Range<Int>],
    cache: (KeyValueCache<Element>, newKeys: [Int])?, earlier: EarlierRows<Element>?,
    adapter: (any ValueAdapter<Element>)?
  ) -> (y: Matrix<Element>, tape: Tape) {
    let n = inputNorm.forward(x)
    let unnormedKeys = keyProjection.forward(n)
    let keys = headNorms?.key.forward(unnormedKeys) ?? unnormedKeys
    rotary.forward(inPlace: keys)
    let values = valueProjection.forward(n)
    if !visual.isEmpty { adapter?.forward(layer: index, input: n, values: values, visual: visual) }
    let unnormedQueries = queryProjection.forward(queries.select(n))
    let q = headNorms?.query.forward(unnormedQueries) ?? unnormedQueries
    queries.rotary.forward(inPlace: q)
    let (k, v) =
      cache.map { $0.adding(keys, values, at: $1, layer: index) }
      ?? earlier?.followed(by: keys, values, layer: index) ?? (keys, values)
    let attended = attention.forward(q: q, k: k, v: v, pattern: queries.pattern)
    let h = outputProjection.forward(attended.output)
    h.add(queries.select(x))
    let m = postAttentionNorm.forward(h)
    let (gate, up) = (gateProjection.forward(m), upProjection.forward(m))
    let y = downProjection.forward(SwiGLU.forward(gate: gate, up: up))
    y.add(h)
    let unnormed = headNorms.map { _ in (unnormedQueries, unnormedKeys) }
    return (
      y,
      Tape(
        queries: queries, x: x, q: q, k: k, v: v, unnormed: unnormed, attended: attended, h: h, gate: gate, up: up)
    )
  }

  /// The gradient of x for the rows from `firstRow` on, from the gradient of y for the queries among them. Rows before
  /// `firstRow` depend on no adapter and have no gradient.
  /// - Returns: dx `[N - firstRow, H]`, or nil where `needed` ends at the values.
  func backward(
    _ dy: Matrix<Element>, tape: Tape, firstRow: Int, visual: [Range<Int>], rotary: Rotary<Element>,
    adapter: any ValueAdapter<Element>, needed: Attention<Element>.Needed
  ) -> Matrix<Element>? {
    let first = tape.queries.rows.firstIndex { $0 >= firstRow } ?? tape.queries.rows.count
    let asked = first..<tape.queries.rows.count
    let later = firstRow..<tape.x.rows
    let laterKeys = tape.k.rows - later.count..<tape.k.rows
    // MLP
    let (dgate, dup) = SwiGLU.backward(
      downProjection.backward(dy), gate: tape.gate.rows(asked), up: tape.up.rows(asked))
    let dm = gateProjection.backward(dgate)
    upProjection.backward(dup, addingTo: dm)
    let dh = postAttentionNorm.backward(dm, input: tape.h.rows(asked))
    dh.add(dy)
    // Attention
    let gradients = attention.backward(
      outputProjection.backward(dh), q: tape.q.rows(asked), k: tape.k, v: tape.v,
      output: tape.attended.output.rows(asked), logSumExp: tape.attended.logSumExp.columns(asked),
      pattern: tape.queries.pattern.dropping(first: first), firstKey: laterKeys.lowerBound, needed: needed)
    // Values, keys, queries
    let n = inputNorm.forward(tape.x.rows(later))
    let shifted = visual.map { $0.lowerBound - firstRow..<$0.upperBound - firstRow }
    guard var dq = gradients.q, var dk = gradients.k else {
      adapter.backward(
        layer: index, input: n, values: tape.v.rows(laterKeys), dValues: gradients.v, visual: shifted, dInput: nil)
      return nil
    }
    let dn = valueProjection.backward(gradients.v)
    adapter.backward(
      layer: index, input: n, values: tape.v.rows(laterKeys), dValues: gradients.v, visual: shifted, dInput: dn)
    rotary.rows(later).backward(inPlace: dk)
    tape.queries.rotary.rows(asked).backward(inPlace: dq)
    if let headNorms, let unnormed = tape.unnormed {
      dk = headNorms.key.backward(dk, input: unnormed.k.rows(later))
      dq = headNorms.query.backward(dq, input: unnormed.q.rows(asked))
    }
    keyProjection.backward(dk, addingTo: dn)
    let askedRows = tape.queries.rows[asked].map { $0 - firstRow }
    if askedRows.count == later.count {
      queryProjection.backward(dq, addingTo: dn)
    } else {
      dn.scatterAdd(queryProjection.backward(dq), at: askedRows)
    }
    let dx = inputNorm.backward(dn, input: tape.x.rows(later))
    dx.scatterAdd(dh, at: askedRows)
    return dx
  }
}
