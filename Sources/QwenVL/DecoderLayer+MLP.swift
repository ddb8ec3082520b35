// The MLP of a decoder layer with its residual.
import Layers
import Tensors

extension DecoderLayer {
  /// Pre-activations of the MLP, adapted, `[Q, I]` each.
  struct MLPActivations: Sendable {
    let gate, up: KeptMatrix<Element>
  }

  /// y = h + (silu(m G^T) m U^T) W^T, m = norm(h).   h [Q, H] -> y [Q, H]
  func mlp(
    _ h: Matrix<Element>, _ adapter: LayerAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: MLPActivations) {
    let m = postAttentionNorm.forward(h)
    let factor = gateProjection.factor(m)
    let (gate, up) = (gateProjection.forward(factor), upProjection.forward(factor))
    adapter?.forward(.gate, input: m, output: gate)
    adapter?.forward(.up, input: m, output: up)
    let precision = downProjection.weight.precision
    let (y, kept): (Matrix<Element>, MLPActivations)
    if let adapter, adapter.adapts(.down) {
      let product = SwiGLU.forward(gate: gate, up: up)
      y = downProjection.forward(product)
      adapter.forward(.down, input: product, output: y)
      kept = MLPActivations(gate: KeptMatrix(gate, precision), up: KeptMatrix(up, precision))
    } else {
      let (product, keptGate, keptUp) = SwiGLU.forwardKeeping(gate: gate, up: up, precision)
      (y, kept) = (downProjection.forward(product), MLPActivations(gate: keptGate, up: keptUp))
    }
    y.add(h)
    return (y, kept)
  }

  /// dh = dy + norm'(dm), dm = dgate G + dup U, (dgate, dup) = swiglu'(dy W), and the adapter's part of each; nil where
  /// nothing below is adapted.   dy [Q, H] -> dh [Q, H]
  func mlpBackward(
    _ dy: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered<Element>, _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    func kept() -> (gate: Matrix<Element>, up: Matrix<Element>) {
      (saved.mlp.gate.rows(covered.queries), saved.mlp.up.rows(covered.queries))
    }
    let isMixerNeeded = adapter.needs(Projection.attention + Projection.linearAttention)
    let dProduct = isMixerNeeded || adapter.needs(.gate, .up) ? downProjection.backward(dy) : nil
    if adapter.adapts(.down) {
      let (gate, up) = kept()
      adapter.backward(.down, input: SwiGLU.forward(gate: gate, up: up), dOutput: dy, addingTo: dProduct)
    }
    guard let dProduct else { return nil }
    let h = saved.h.rows(covered.queries)
    func inputGradient(_ dgate: GEMMFactor<Element>, _ dup: GEMMFactor<Element>) -> Matrix<Element> {
      let dm = gateProjection.backward(dgate)
      upProjection.backward(dup, addingTo: dm)
      return dm
    }
    let dm: Matrix<Element>?
    if adapter.adapts(.gate) || adapter.adapts(.up) {
      let (gate, up) = kept()
      let (dgate, dup) = SwiGLU.backward(dProduct, gate: gate, up: up)
      dm = isMixerNeeded ? inputGradient(gateProjection.factor(dgate), upProjection.factor(dup)) : nil
      let m = postAttentionNorm.forward(h)
      adapter.backward(.gate, input: m, dOutput: dgate, addingTo: dm)
      adapter.backward(.up, input: m, dOutput: dup, addingTo: dm)
    } else {
      let (dgate, dup) = SwiGLU.backward(
        dProduct, gate: saved.mlp.gate, up: saved.mlp.up, rows: covered.queries, downProjection.weight.precision)
      dm = inputGradient(dgate, dup)
    }
    guard let dm else { return nil }
    let dh = postAttentionNorm.backward(dm, input: h)
    dh.add(dy)
    return dh
  }
}
