// The Gated DeltaNet of a decoder layer: projections, convolution, delta rule, gated norm, output projection.
//
// n is the normed input. A pass's tokens are pieces of sequences (`Piece`); what a piece leaves behind, the state and
// the convolution's last rows, goes to the branches that continue it and to later passes.
import Layers
import Tensors

/// A frozen Gated DeltaNet (transformers `Qwen3_5GatedDeltaNet`).
struct GatedDeltaNet<Element: Scalar>: Sendable {
  /// To queries, keys and values together, to the gate of the norm, to write strengths and to decays.
  let inputProjection, gateProjection, strengthProjection, decayProjection: Linear<Element>
  let convolution: CausalConvolution<Element>
  let gates: DeltaGates<Element>
  let rule: GatedDeltaRule<Element>
  let norm: GatedNorm<Element>
  let outputProjection: Linear<Element>

  struct Activations: Sendable {
    let pieces: [Piece]
    /// What the convolution takes, adapted, `[N, 2 K + V]`.
    let projected: KeptMatrix<Element>
    /// What the gates are made of, adapted, `[N, heads]`.
    let decays, strengths: Matrix<Element>
    /// The rows before each piece, `[context, 2 K + V]`.
    let contexts: [Matrix<Element>]
    /// At the queries `[Q, V]`: what the rule gives, and the gate of its norm.
    let read, gate: KeptMatrix<Element>
    /// The states at the start of each piece's chunks, `[heads dk, dv]`.
    let states: [[Matrix<Element>]]

    var byteCount: Int {
      [projected, read, gate].reduce(0) { $0 + $1.byteCount }
        + ([decays, strengths] + states.joined()).reduce(0) { $0 + $1.byteCount }
    }
  }

  /// n [N, H] -> [Q, H]
  func forward(
    _ n: Matrix<Element>, tokens: PassTokens<Element>, queries: Queries<Element>, _ adapter: LayerAdapter<Element>?,
    layer: Int
  ) -> (output: Matrix<Element>, activations: Activations) {
    let factor = inputProjection.factor(n)
    let projected = inputProjection.forward(factor)
    adapter?.forward(.linearInput, input: n, output: projected)
    adapter?.forward(.value, input: n, output: values(projected))
    let (a, b) = (decayProjection.forward(factor), strengthProjection.forward(factor))
    adapter?.forward(.linearDecay, input: n, output: a)
    adapter?.forward(.linearStrength, input: n, output: b)
    let read = Matrix<Element>(uninitialized: n.rows, rule.valueColumns)
    var states: [[Matrix<Element>]] = []
    var contexts: [Matrix<Element>] = []
    var ends: [RecurrentState<Element>] = []
    for piece in tokens.pieces {
      let start =
        switch piece.start {
        case .nothing: emptyState
        case .piece(let index): ends[index]
        case .past(let key): tokens.past.state(of: key, layer: layer)
        }
      let rows = piece.tokens
      let m = projected.rows(rows)
      let (g, beta) = gates.forward(a: a.rows(rows), b: b.rows(rows))
      let state = start.state.copy
      states.append(
        rule.forward(
          convolution.forward(m, after: start.rows), g: g, beta: beta, state: state, into: read.rows(rows)))
      contexts.append(start.rows)
      let end = RecurrentState(state: state, rows: convolution.context(behind: m, after: start.rows))
      ends.append(end)
      tokens.past.keep(end, of: piece.key, layer: layer)
    }
    let (queryRead, queryInput) = (queries.select(read), queries.select(n))
    let gate = gateProjection.forward(queries.areAll ? factor : gateProjection.factor(queryInput))
    adapter?.forward(.linearGate, input: queryInput, output: gate)
    let normed = norm.forward(queryRead, gate: gate)
    let output = outputProjection.forward(normed)
    adapter?.forward(.linearOutput, input: normed, output: output)
    let precision = outputProjection.weight.precision
    let activations = Activations(
      pieces: tokens.pieces, projected: KeptMatrix(projected, precision), decays: a, strengths: b, contexts: contexts,
      read: KeptMatrix(queryRead, precision), gate: KeptMatrix(gate, precision), states: states)
    return (output, activations)
  }

  /// The values among queries, keys and values.   [R, 2 K + V] -> [R, V]
  private func values(_ projected: Matrix<Element>) -> Matrix<Element> { projected.columns(valueColumns) }
  private var valueColumns: Range<Int> { 2 * rule.keyColumns..<rule.columns }

  private var emptyState: RecurrentState<Element> {
    RecurrentState(state: rule.emptyState, rows: Matrix(zeros: convolution.context, rule.columns))
  }

  /// The gradient of n: through the gate of the norm, and through the rule, piece by piece from the last, since a piece
  /// takes gradients from those that continue it; and the adapter's part of each.   dOutput [Q, H], n [N, H] -> [N, H]
  func backward(
    _ dOutput: Matrix<Element>, _ n: Matrix<Element>, _ saved: Activations, _ covered: Covered<Element>,
    _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    let (read, gate) = (saved.read.rows(covered.queries), saved.gate.rows(covered.queries))
    let isRuleNeeded = adapter.needs(.value, .linearInput, .linearStrength, .linearDecay)
    let dNormed = isRuleNeeded || adapter.needs(.linearGate) ? outputProjection.backward(dOutput) : nil
    if adapter.adapts(.linearOutput) {
      adapter.backward(.linearOutput, input: norm.forward(read, gate: gate), dOutput: dOutput, addingTo: dNormed)
    }
    guard let dNormed else { return nil }
    let (dRead, dGate) = norm.backward(dNormed, input: read, gate: gate)
    let gradients = isRuleNeeded ? ruleBackward(covered.spread(dRead), saved, from: covered.tokens.lowerBound) : nil
    let dn = adapter.isLowest ? nil : gradients.map { inputProjection.backward($0.projected) }
    gateBackward(covered.spread(dGate), n, adapter, addingTo: dn)
    guard let gradients else { return nil }
    adapter.backward(.linearInput, input: n, dOutput: gradients.projected, addingTo: dn)
    adapter.backward(
      .value, input: n, values: saved.projected.part(rows: covered.tokens, columns: valueColumns),
      dOutput: values(gradients.projected),
      addingTo: dn)
    if let dn {
      decayProjection.backward(gradients.decays, addingTo: dn)
      strengthProjection.backward(gradients.strengths, addingTo: dn)
    }
    adapter.backward(.linearDecay, input: n, dOutput: gradients.decays, addingTo: dn)
    adapter.backward(.linearStrength, input: n, dOutput: gradients.strengths, addingTo: dn)
    return dn
  }

  /// dn += dz Z, z = n Z^T the gate of the norm.   dGate [N, V], n, dn [N, H]
  private func gateBackward(
    _ dGate: Matrix<Element>, _ n: Matrix<Element>, _ adapter: LayerAdapter<Element>, addingTo dn: Matrix<Element>?
  ) {
    if let dn { gateProjection.backward(dGate, addingTo: dn) }
    adapter.backward(.linearGate, input: n, dOutput: dGate, addingTo: dn)
  }

  /// Gradients of the projections to queries, keys and values, decays and strengths, for the tokens from `first` on.
  /// dRead [N, V] -> [N, 2 K + V], [N, heads] each
  private func ruleBackward(
    _ dRead: Matrix<Element>, _ saved: Activations, from first: Int
  ) -> (projected: Matrix<Element>, decays: Matrix<Element>, strengths: Matrix<Element>) {
    let count = dRead.rows
    let dProjected = Matrix<Element>(uninitialized: count, rule.columns)
    let (da, db) = (
      Matrix<Element>(uninitialized: count, rule.valueHeads), Matrix<Element>(uninitialized: count, rule.valueHeads)
    )
    // Of what each piece leaves behind, summed over those that continue it.
    var dEnds = saved.pieces.map { _ in RecurrentState<Element>?.none }
    for (index, piece) in saved.pieces.enumerated().reversed() where piece.tokens.upperBound > first {
      let skipped = max(0, first - piece.tokens.lowerBound)
      let inputs = piece.tokens.lowerBound + skipped..<piece.tokens.upperBound
      let rows = inputs.lowerBound - first..<inputs.upperBound - first
      let dEnd = dEnds[index] ?? emptyState
      let (m, before) = (saved.projected.rows(piece.tokens), saved.contexts[index])
      let (a, b) = (saved.decays.rows(inputs), saved.strengths.rows(inputs))
      let (g, beta) = gates.forward(a: saved.decays.rows(piece.tokens), b: saved.strengths.rows(piece.tokens))
      let gradients = rule.backward(
        dRead.rows(rows), convolution.forward(m, after: before), g: g, beta: beta, states: saved.states[index],
        from: skipped, dState: dEnd.state)
      let gateGradients = gates.backward(dg: gradients.g, dbeta: gradients.beta, a: a, b: b)
      da.rows(rows).assign(gateGradients.a)
      db.rows(rows).assign(gateGradients.b)
      let dBefore = convolution.backward(
        gradients.x, input: m, after: before, from: skipped, dEnd: dEnd.rows, into: dProjected.rows(rows))
      if case .piece(let before) = piece.start {
        let dStart = RecurrentState(state: dEnd.state, rows: dBefore)
        dEnds[before] = dEnds[before].map { $0.adding(dStart) } ?? dStart
      }
    }
    return (dProjected, da, db)
  }
}
