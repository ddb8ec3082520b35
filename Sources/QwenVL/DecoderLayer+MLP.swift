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
    let (gate, up) = (gateProjection.forward(m), upProjection.forward(m))
    adapter?.forward(.gate, input: m, output: gate)
    adapter?.forward(.up, input: m, output: up)
    let product = SwiGLU.forward(gate: gate, up: up)
    let y = downProjection.forward(product)
    adapter?.forward(.down, input: product, output: y)
    y.add(h)
    let precision = downProjection.weight.precision
    return (y, MLPActivations(gate: KeptMatrix(gate, precision), up: KeptMatrix(up, precision)))
  }

  /// dh = dy + norm'(dm), dm = dgate G + dup U, (dgate, dup) = swiglu'(dy W), and the adapter's part of each; nil where
  /// nothing below is adapted.   dy [Q, H] -> dh [Q, H]
  func mlpBackward(
    _ dy: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered<Element>, _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    let (gate, up) = (saved.mlp.gate.rows(covered.queries), saved.mlp.up.rows(covered.queries))
    let isMixerNeeded = adapter.needs(Projection.attention + Projection.linearAttention)
    let dProduct = isMixerNeeded || adapter.needs(.gate, .up) ? downProjection.backward(dy) : nil
    if adapter.adapts(.down) {
      adapter.backward(.down, input: SwiGLU.forward(gate: gate, up: up), dOutput: dy, addingTo: dProduct)
    }
    guard let dProduct else { return nil }
    let (dgate, dup) = SwiGLU.backward(dProduct, gate: gate, up: up)
    let h = saved.h.rows(covered.queries)
    let dm = isMixerNeeded ? gateProjection.backward(dgate) : nil
    if let dm { upProjection.backward(dup, addingTo: dm) }
    if adapter.adapts(.gate) || adapter.adapts(.up) {
      let m = postAttentionNorm.forward(h)
      adapter.backward(.gate, input: m, dOutput: dgate, addingTo: dm)
      adapter.backward(.up, input: m, dOutput: dup, addingTo: dm)
    }
    guard let dm else { return nil }
    let dh = postAttentionNorm.backward(dm, input: h)
    dh.add(dy)
    return dh
  }
}
