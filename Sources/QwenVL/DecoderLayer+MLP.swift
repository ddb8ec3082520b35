// The MLP of a decoder layer with its residual.
import Layers
import Tensors

extension DecoderLayer {
  /// Pre-activations of the MLP, `[Q, I]` each.
  struct MLPActivations: Sendable {
    let gate, up: Matrix<Element>
  }

  /// y = h + (silu(m G^T) m U^T) W^T, m = norm(h).   h [Q, H] -> y [Q, H]
  func mlp(_ h: Matrix<Element>) -> (y: Matrix<Element>, activations: MLPActivations) {
    let m = postAttentionNorm.forward(h)
    let (gate, up) = (gateProjection.forward(m), upProjection.forward(m))
    let y = downProjection.forward(SwiGLU.forward(gate: gate, up: up))
    y.add(h)
    return (y, MLPActivations(gate: gate, up: up))
  }

  /// dh = dy + norm'(dm), dm = dgate G + dup U, (dgate, dup) = swiglu'(dy W).   dy [Q, H] -> dh [Q, H]
  func mlpBackward(_ dy: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered<Element>) -> Matrix<Element> {
    let (dgate, dup) = SwiGLU.backward(
      downProjection.backward(dy), gate: saved.mlp.gate.rows(covered.queries), up: saved.mlp.up.rows(covered.queries))
    let dm = gateProjection.backward(dgate)
    upProjection.backward(dup, addingTo: dm)
    let dh = postAttentionNorm.backward(dm, input: saved.h.rows(covered.queries))
    dh.add(dy)
    return dh
  }
}
