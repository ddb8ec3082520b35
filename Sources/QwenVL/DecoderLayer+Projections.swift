// The attention of a decoder layer: projections to queries, keys and values, attention, output projection with
// residual.
//
// n is the normed input, R the rotation by a token's position. The N and Q of backward's shapes are the covered tokens
// and queries; dn is nil in the lowest adapted layer, where only the adapter takes gradients.
import Layers
import Tensors

extension DecoderLayer {
  /// Queries or keys of some tokens, `[R, heads D]`.
  struct ProjectedHeads: Sendable {
    let rotated: Matrix<Element>
    /// Before their norm, if the layer has `headNorms`.
    let unnormed: Matrix<Element>?
  }

  // MARK: - Values

  /// v = n V^T.   n [N, H] -> [N, kvHeads D]
  func value(_ n: Matrix<Element>, _ adapter: LayerAdapter<Element>?) -> Matrix<Element> {
    let v = valueProjection.forward(n)
    adapter?.forward(.value, input: n, output: v)
    return v
  }

  /// dn = dv V.   dv [N, kvHeads D], n [N, H] -> dn [N, H]
  func valueBackward(
    _ dv: Matrix<Element>, _ n: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered,
    _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    let dn = adapter.isLowest ? nil : valueProjection.backward(dv)
    adapter.backward(.value, input: n, values: saved.values.rows(covered.keys), dOutput: dv, addingTo: dn)
    return dn
  }

  // MARK: - Keys

  /// k = R norm(n K^T).   n [N, H] -> [N, kvHeads D]
  func key(_ n: Matrix<Element>, rotary: Rotary<Element>, _ adapter: LayerAdapter<Element>?) -> ProjectedHeads {
    let projected = keyProjection.forward(n)
    adapter?.forward(.key, input: n, output: projected)
    return normedAndRotated(projected, headNorms?.key, rotary)
  }

  /// dn += norm'(R^-1 dk) K.   dk [N, kvHeads D], changed in place; n, dn [N, H]
  func keyBackward(
    _ dk: Matrix<Element>, _ n: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered,
    rotary: Rotary<Element>, _ adapter: LayerAdapter<Element>, addingTo dn: Matrix<Element>?
  ) {
    rotary.tokens(covered.tokens).backward(inPlace: dk)
    let dProjected = normBackward(dk, headNorms?.key, input: saved.unnormedKeys?.rows(covered.tokens))
    if let dn { keyProjection.backward(dProjected, addingTo: dn) }
    adapter.backward(.key, input: n, dOutput: dProjected, addingTo: dn)
  }

  // MARK: - Queries

  /// q = R norm(n Q^T).   n [Q, H] -> [Q, heads D]
  func query(_ n: Matrix<Element>, rotary: Rotary<Element>, _ adapter: LayerAdapter<Element>?) -> ProjectedHeads {
    let projected = queryProjection.forward(n)
    adapter?.forward(.query, input: n, output: projected)
    return normedAndRotated(projected, headNorms?.query, rotary)
  }

  /// dn += norm'(R^-1 dq) Q at the queries.   dq [Q, heads D], changed in place; n, dn [N, H]
  func queryBackward(
    _ dq: Matrix<Element>, _ n: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered,
    _ adapter: LayerAdapter<Element>, addingTo dn: Matrix<Element>?
  ) {
    saved.queries.rotary.tokens(covered.queries).backward(inPlace: dq)
    let dProjected = normBackward(dq, headNorms?.query, input: saved.query.unnormed?.rows(covered.queries))
    if covered.allAreQueries {
      if let dn { queryProjection.backward(dProjected, addingTo: dn) }
      adapter.backward(.query, input: n, dOutput: dProjected, addingTo: dn)
    } else {
      let dSelected = dn.map { _ in queryProjection.backward(dProjected) }
      let selected = n.gathering(covered.queryPositions)
      adapter.backward(.query, input: selected, dOutput: dProjected, addingTo: dSelected)
      if let dn, let dSelected { dn.scatterAdd(dSelected, at: covered.queryPositions) }
    }
  }

  /// R norm(x), or R x without a norm, then in place of x.   x [R, heads D]
  private func normedAndRotated(
    _ x: Matrix<Element>, _ norm: RMSNorm<Element>?, _ rotary: Rotary<Element>
  ) -> ProjectedHeads {
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
  func attentionBackward(
    _ dAttended: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered, _ adapter: LayerAdapter<Element>
  ) -> Attention<Element>.Gradients {
    attention.backward(
      dAttended, q: saved.query.rotated.rows(covered.queries), k: saved.keys, v: saved.values,
      output: saved.attended.output.rows(covered.queries),
      logSumExp: saved.attended.logSumExp.columns(covered.queries),
      pattern: saved.queries.pattern.dropping(first: covered.queries.lowerBound), firstKey: covered.keys.lowerBound,
      needed: adapter.needs(.query, .key) ? .all : .valuesOnly)
  }

  // MARK: - Output

  /// h = x + a O^T.   a [Q, heads D], x [Q, H] -> h [Q, H]
  func output(
    _ attended: Matrix<Element>, residual x: Matrix<Element>, _ adapter: LayerAdapter<Element>?
  ) -> Matrix<Element> {
    let h = outputProjection.forward(attended)
    adapter?.forward(.output, input: attended, output: h)
    h.add(x)
    return h
  }

  /// da = dh O, or nil where nothing below is adapted.   dh [Q, H] -> da [Q, heads D]
  func outputBackward(
    _ dh: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered, _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    let dAttended = adapter.needs(.query, .key, .value) ? outputProjection.backward(dh) : nil
    adapter.backward(.output, input: saved.attended.output.rows(covered.queries), dOutput: dh, addingTo: dAttended)
    return dAttended
  }
}
