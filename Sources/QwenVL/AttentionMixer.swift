// The attention of a decoder layer: projections to queries, keys and values, attention, output projection.
//
// n is the normed input, R the rotation by a token's position. The N and Q of backward's shapes are the covered tokens
// and queries; dn is nil in the lowest adapted layer, where only the adapter takes gradients.
import Layers
import Tensors

/// Frozen attention (transformers `Qwen2_5_VLAttention`, `Qwen3VLTextAttention`, `Qwen3_5Attention`). The adapter adds
/// to what the projections give.
struct AttentionMixer<Element: Scalar>: Sendable {
  let queryProjection, keyProjection, valueProjection: Linear<Element>
  let attention: Attention<Element>
  let outputProjection: Linear<Element>
  /// Norms of queries and keys before their rotation, of each head separately; nil: there are none.
  var headNorms: (query: RMSNorm<Element>, key: RMSNorm<Element>)?
  /// Whether the query projection gives a gate beside each head's query (`OutputGate`).
  var isGated = false

  struct Activations: Sendable {
    let queries: Queries<Element>
    /// Rotated queries `[Q, heads D]`; rotated keys and adapted values, those of the past first, `[keys, kvHeads D]`.
    let inputs: Attention<Element>.Inputs
    /// Queries `[Q, heads D]` and keys of the new tokens `[N, kvHeads D]` before their norm, if the layer has
    /// `headNorms`.
    let unnormedQueries, unnormedKeys: Matrix<Element>?
    /// Gates of the queries' outputs `[Q, heads D]`, if there are any.
    let gates: KeptMatrix<Element>?
    /// The attended values before their gates `[Q, heads D]`.
    let attended: KeptMatrix<Element>
    /// Of each head's scores (`Attention.Result`), `[Q, heads]`.
    let logSumExp: Matrix<Element>

    var byteCount: Int {
      [unnormedQueries, unnormedKeys, logSumExp].reduce(0) { $0 + ($1?.byteCount ?? 0) }
        + inputs.byteCount + attended.byteCount + (gates?.byteCount ?? 0)
    }
  }

  /// O attention(q, k, v); q, k, v are projections of n.   n [N, H] -> [Q, H]
  func forward(
    _ n: Matrix<Element>, tokens: PassTokens<Element>, queries: Queries<Element>, _ adapter: LayerAdapter<Element>?,
    layer: Int
  ) -> (output: Matrix<Element>, activations: Activations) {
    let input = ProjectedInput(n, for: keyProjection)
    let key = key(input, rotary: tokens.rotary, adapter)
    let value = value(input, adapter)
    let asked = queries.areAll ? input : ProjectedInput(queries.select(n), for: queryProjection)
    let (query, gates) = query(asked, rotary: queries.rotary, adapter)
    let (keys, values) = tokens.past.joining(key.rotated, value, at: tokens.newKeys, layer: layer)
    let inputs = attention.inputs(q: query.rotated, k: keys, v: values, pattern: queries.pattern)
    let attended = attention.forward(inputs)
    let precision = outputProjection.weight.precision
    let kept = KeptMatrix(attended.output, precision)
    let activations = Activations(
      queries: queries, inputs: inputs, unnormedQueries: query.unnormed, unnormedKeys: key.unnormed,
      gates: gates.map { KeptMatrix($0, precision) }, attended: kept, logSumExp: attended.logSumExp)
    return (output(attended.output, kept, gates: gates, adapter), activations)
  }

  /// dn = dq Q + dk K + dv V, (dq, dk, dv) = attention'(dOutput O), and the adapter's part of each.
  func backward(
    _ dOutput: Matrix<Element>, _ n: Matrix<Element>, _ saved: Activations, _ covered: Covered<Element>,
    _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    guard let (dAttended, dGates) = outputBackward(dOutput, saved, covered, adapter) else { return nil }
    let gradients = attentionBackward(dAttended, saved, covered, adapter)
    let dn = valueBackward(gradients.v, n, saved, covered, adapter)
    guard let dq = gradients.q, let dk = gradients.k else { return nil }
    keyBackward(dk, n, saved, covered, adapter, addingTo: dn)
    queryBackward(dq, dGates, n, saved, covered, adapter, addingTo: dn)
    return dn
  }

  // MARK: - Values

  /// v = n V^T.   n [N, H] -> [N, kvHeads D]
  private func value(_ n: ProjectedInput<Element>, _ adapter: LayerAdapter<Element>?) -> Matrix<Element> {
    let v = valueProjection.forward(n.factor)
    adapter?.forward(.value, input: n.numbers, output: v)
    return v
  }

  /// dn = dv V.   dv [N, kvHeads D], n [N, H] -> dn [N, H]
  private func valueBackward(
    _ dv: Matrix<Element>, _ n: Matrix<Element>, _ saved: Activations, _ covered: Covered<Element>,
    _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    let dn = adapter.isLowest ? nil : valueProjection.backward(dv)
    let values = saved.inputs.v.rows(covered.keys(among: saved.inputs.v.rows))
    adapter.backward(.value, input: n, values: values, dOutput: dv, addingTo: dn)
    return dn
  }

  // MARK: - Keys

  /// k = R norm(n K^T).   n [N, H] -> [N, kvHeads D]
  private func key(
    _ n: ProjectedInput<Element>, rotary: Rotary<Element>, _ adapter: LayerAdapter<Element>?
  ) -> ProjectedHeads<Element> {
    let projected = keyProjection.forward(n.factor)
    adapter?.forward(.key, input: n.numbers, output: projected)
    return normedAndRotated(projected, headNorms?.key, rotary)
  }

  /// dn += norm'(R^-1 dk) K.   dk [N, kvHeads D], changed in place; n, dn [N, H]
  private func keyBackward(
    _ dk: Matrix<Element>, _ n: Matrix<Element>, _ saved: Activations, _ covered: Covered<Element>,
    _ adapter: LayerAdapter<Element>, addingTo dn: Matrix<Element>?
  ) {
    covered.rotary.backward(inPlace: dk)
    let dProjected = normBackward(dk, headNorms?.key, input: saved.unnormedKeys?.rows(covered.tokens))
    if let dn { keyProjection.backward(dProjected, addingTo: dn) }
    adapter.backward(.key, input: n, dOutput: dProjected, addingTo: dn)
  }

  // MARK: - Queries

  /// q = R norm(n Q^T), and the gates beside it.   n [Q, H] -> [Q, heads D] each
  private func query(
    _ n: ProjectedInput<Element>, rotary: Rotary<Element>, _ adapter: LayerAdapter<Element>?
  ) -> (query: ProjectedHeads<Element>, gates: Matrix<Element>?) {
    let projected = queryProjection.forward(n.factor)
    adapter?.forward(.query, input: n.numbers, output: projected)
    guard isGated else { return (normedAndRotated(projected, headNorms?.query, rotary), nil) }
    let (queries, gates) = OutputGate.split(projected, headDimension: attention.headDimension)
    return (normedAndRotated(queries, headNorms?.query, rotary), gates)
  }

  /// dn += norm'(R^-1 dq) Q at the queries.   dq [Q, heads D], changed in place; dGates [Q, heads D]; n, dn [N, H]
  private func queryBackward(
    _ dq: Matrix<Element>, _ dGates: Matrix<Element>?, _ n: Matrix<Element>, _ saved: Activations,
    _ covered: Covered<Element>, _ adapter: LayerAdapter<Element>, addingTo dn: Matrix<Element>?
  ) {
    saved.queries.rotary.tokens(covered.queries).backward(inPlace: dq)
    let dQueries = normBackward(dq, headNorms?.query, input: saved.unnormedQueries?.rows(covered.queries))
    let dProjected = dGates.map { OutputGate.join(dQueries, $0, headDimension: attention.headDimension) } ?? dQueries
    if covered.allAreQueries {
      if let dn { queryProjection.backward(dProjected, addingTo: dn) }
      adapter.backward(.query, input: n, dOutput: dProjected, addingTo: dn)
    } else {
      let dSelected = dn.map { _ in queryProjection.backward(dProjected) }
      adapter.backward(.query, input: covered.select(n), dOutput: dProjected, addingTo: dSelected)
      if let dn, let dSelected { dn.scatterAdd(dSelected, at: covered.queryPositions) }
    }
  }

  /// R norm(x), or R x without a norm, then in place of x.   x [R, heads D]
  private func normedAndRotated(
    _ x: Matrix<Element>, _ norm: RMSNorm<Element>?, _ rotary: Rotary<Element>
  ) -> ProjectedHeads<Element> {
    let rotated = norm?.forward(x) ?? x
    rotary.forward(inPlace: rotated)
    return ProjectedHeads(rotated: rotated, unnormed: norm.map { _ in x })
  }

  /// norm'(dy), or dy without a norm.   dy [R, heads D] -> [R, heads D]
  private func normBackward(
    _ dy: Matrix<Element>, _ norm: RMSNorm<Element>?, input: Matrix<Element>?
  ) -> Matrix<Element> {
    guard let norm, let input else { return dy }
    return norm.backward(dy, input: input)
  }

  // MARK: - Attention

  /// Gradients of q, k and v from that of the attended values (`Attention.backward`), those of k and v for the covered
  /// tokens.   dAttended [Q, heads D]
  private func attentionBackward(
    _ dAttended: Matrix<Element>, _ saved: Activations, _ covered: Covered<Element>, _ adapter: LayerAdapter<Element>
  ) -> Attention<Element>.Gradients {
    attention.backward(
      dAttended, saved.inputs, queries: covered.queries, logSumExp: saved.logSumExp.rows(covered.queries),
      firstKey: covered.keys(among: saved.inputs.k.rows).lowerBound,
      needed: adapter.needs(.query, .key) ? .all : .valuesOnly)
  }

  // MARK: - Output

  /// a O^T, the attended values a gated where there are gates.   a [Q, heads D] -> [Q, H]
  private func output(
    _ attended: Matrix<Element>, _ kept: KeptMatrix<Element>, gates: Matrix<Element>?,
    _ adapter: LayerAdapter<Element>?
  ) -> Matrix<Element> {
    let gated = gates.map { OutputGate.forward(attended, gate: $0) }
    let y = outputProjection.forward(gated.map(outputProjection.factor) ?? kept.factor)
    adapter?.forward(.output, input: gated ?? attended, output: y)
    return y
  }

  /// da = dy O, and the gradient of the gates; nil where nothing below is adapted.   dy [Q, H] -> da [Q, heads D]
  private func outputBackward(
    _ dy: Matrix<Element>, _ saved: Activations, _ covered: Covered<Element>, _ adapter: LayerAdapter<Element>
  ) -> (dAttended: Matrix<Element>, dGates: Matrix<Element>?)? {
    let dGated = adapter.needs(.query, .key, .value) ? outputProjection.backward(dy) : nil
    let attended = saved.attended.rows(covered.queries)
    let gates = saved.gates?.rows(covered.queries)
    let input = gates.map { OutputGate.forward(attended, gate: $0) } ?? attended
    adapter.backward(.output, input: input, dOutput: dy, addingTo: dGated)
    guard let dGated else { return nil }
    guard let gates else { return (dGated, nil) }
    let gradients = OutputGate.backward(dGated, input: attended, gate: gates)
    return (gradients.input, gradients.gate)
  }
}

/// Queries or keys of some tokens, `[R, heads D]`.
private struct ProjectedHeads<Element: Scalar> {
  let rotated: Matrix<Element>
  /// Before their norm, if there is one.
  let unnormed: Matrix<Element>?
}

/// The input of several projections.
struct ProjectedInput<Element: Scalar> {
  let numbers: Matrix<Element>
  /// As the projections multiply it.
  let factor: GEMMFactor<Element>

  init(_ numbers: Matrix<Element>, for projection: Linear<Element>) {
    (self.numbers, factor) = (numbers, projection.factor(numbers))
  }
}

extension Covered {
  /// The covered tokens' keys, the last ones of a layer's.
  fileprivate func keys(among count: Int) -> Range<Int> { count - tokens.count..<count }
}
