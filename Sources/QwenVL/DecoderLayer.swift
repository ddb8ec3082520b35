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

  /// h = x + O(attention(Q n, K n, V n)), y = h + down(silu(gate m) up m), n = norm(x), m = norm(h); the adapter adds
  /// to what Q, K, V and O give; Q n and K n are normed behind it where there are `headNorms`.
  /// - Parameters:
  ///   - x: rows new to the model, `[N, H]`.
  ///   - queries: which of them are asked for.
  ///   - cache: keys and values of other rows, and where those of the new rows go.
  ///   - earlier: keys and values of the rows before; with neither there are no others.
  /// - Returns: y `[Q, H]`.
  func forward(
    _ x: Matrix<Element>, rotary: Rotary<Element>, queries: Queries<Element>, visual: [Range<Int>],
    cache: (KeyValueCache<Element>, newKeys: [Int])?, earlier: EarlierRows<Element>?,
    adapter: (any ProjectionAdapter<Element>)?
  ) -> (y: Matrix<Element>, tape: Tape) {
    func adapt(_ projection: Projection, _ input: Matrix<Element>, _ output: Matrix<Element>) {
      guard let adapter else { return }
      let rows = adapter.tokens.rows(visual: visual, of: input.rows)
      if !rows.isEmpty { adapter.forward(layer: index, projection, input: input, output: output, rows: rows) }
    }
    let n = inputNorm.forward(x)
    let unnormedKeys = keyProjection.forward(n)
    adapt(.key, n, unnormedKeys)
    let keys = headNorms?.key.forward(unnormedKeys) ?? unnormedKeys
    rotary.forward(inPlace: keys)
    let values = valueProjection.forward(n)
    adapt(.value, n, values)
    let asking = queries.select(n)
    let unnormedQueries = queryProjection.forward(asking)
    adapt(.query, asking, unnormedQueries)
    let q = headNorms?.query.forward(unnormedQueries) ?? unnormedQueries
    queries.rotary.forward(inPlace: q)
    let (k, v) =
      cache.map { $0.adding(keys, values, at: $1, layer: index) }
      ?? earlier?.followed(by: keys, values, layer: index) ?? (keys, values)
    let attended = attention.forward(q: q, k: k, v: v, pattern: queries.pattern)
    let h = outputProjection.forward(attended.output)
    adapt(.output, attended.output, h)
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
  /// - Returns: dx `[N - firstRow, H]`, or nil in the lowest adapted layer, where it ends at the adapted projections.
  func backward(
    _ dy: Matrix<Element>, tape: Tape, firstRow: Int, visual: [Range<Int>], rotary: Rotary<Element>,
    adapter: any ProjectionAdapter<Element>
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
    // Output projection
    let isLowest = index == adapter.lowestLayer
    let shifted = visual.map { $0.lowerBound - firstRow..<$0.upperBound - firstRow }
    func take(
      _ projection: Projection, _ input: Matrix<Element>, _ dOutput: Matrix<Element>, values: Matrix<Element>? = nil,
      addingTo dInput: Matrix<Element>?
    ) {
      let rows = adapter.tokens.rows(visual: shifted, of: input.rows)
      adapter.backward(
        layer: index, projection, input: input, values: values, dOutput: dOutput, rows: rows, dInput: dInput)
    }
    func isNeeded(_ projections: Projection...) -> Bool {
      !isLowest || projections.contains(where: adapter.adaptsAtLowestLayer)
    }
    let dAttended = isNeeded(.query, .key, .value) ? outputProjection.backward(dh) : nil
    take(.output, tape.attended.output.rows(asked), dh, addingTo: dAttended)
    guard let dAttended else { return nil }
    // Attention
    let gradients = attention.backward(
      dAttended, q: tape.q.rows(asked), k: tape.k, v: tape.v,
      output: tape.attended.output.rows(asked), logSumExp: tape.attended.logSumExp.columns(asked),
      pattern: tape.queries.pattern.dropping(first: first), firstKey: laterKeys.lowerBound,
      needed: isNeeded(.query, .key) ? .all : .valuesOnly)
    // Values, keys, queries
    let n = inputNorm.forward(tape.x.rows(later))
    let dn = isLowest ? nil : valueProjection.backward(gradients.v)
    take(.value, n, gradients.v, values: tape.v.rows(laterKeys), addingTo: dn)
    guard var dq = gradients.q, var dk = gradients.k else { return nil }
    rotary.rows(later).backward(inPlace: dk)
    tape.queries.rotary.rows(asked).backward(inPlace: dq)
    if let headNorms, let unnormed = tape.unnormed {
      dk = headNorms.key.backward(dk, input: unnormed.k.rows(later))
      dq = headNorms.query.backward(dq, input: unnormed.q.rows(asked))
    }
    if let dn { keyProjection.backward(dk, addingTo: dn) }
    take(.key, n, dk, addingTo: dn)
    let askedRows = tape.queries.rows[asked].map { $0 - firstRow }
    let asksAll = askedRows.count == later.count
    let asking = asksAll ? n : n.gathering(askedRows)
    guard let dn else {
      take(.query, asking, dq, addingTo: nil)
      return nil
    }
    if asksAll {
      queryProjection.backward(dq, addingTo: dn)
      take(.query, asking, dq, addingTo: dn)
    } else {
      let dAsking = queryProjection.backward(dq)
      take(.query, asking, dq, addingTo: dAsking)
      dn.scatterAdd(dAsking, at: askedRows)
    }
    let dx = inputNorm.backward(dn, input: tape.x.rows(later))
    dx.scatterAdd(dh, at: askedRows)
    return dx
  }
}
