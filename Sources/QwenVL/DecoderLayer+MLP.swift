// What follows the mixer in a decoder layer: the MLP behind its norm, with the residual.
import Layers
import Tensors

extension DecoderLayer {
  /// y = h + mlp(norm(h)).   h [Q, H] -> y [Q, H]
  func mlpForward(
    _ h: Matrix<Element>, _ adapter: LayerAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: GatedMLP<Element>.Activations) {
    let (y, activations) = mlp.forward(postAttentionNorm.forward(h), adapter)
    y.add(h)
    return (y, activations)
  }

  /// dh = dy + norm'(mlp'(dy)) in dy's place, and the adapter's part; nil where nothing below is adapted.
  /// dy [Q, H] -> dh [Q, H]
  func mlpBackward(
    _ dy: Matrix<Element>, _ saved: SavedActivations, _ covered: Covered<Element>, _ adapter: LayerAdapter<Element>
  ) -> Matrix<Element>? {
    let h = saved.h.rows(covered.queries)
    let dm = mlp.backward(
      dy, input: { postAttentionNorm.forward(h) }, saved.mlp, rows: covered.queries, adapter,
      isInputNeeded: adapter.needs(Projection.attention + Projection.linearAttention))
    guard let dm else { return nil }
    postAttentionNorm.backward(dm, input: h, addingTo: dy)
    return dy
  }
}

extension LayerAdapter: GatedMLPAdapter {
  private func projection(_ projection: GatedMLPProjection) -> Projection {
    switch projection {
    case .gate: .gate
    case .up: .up
    case .down: .down
    }
  }

  func adapts(_ projection: GatedMLPProjection) -> Bool { adapts(self.projection(projection)) }

  func forward(_ projection: GatedMLPProjection, input: Matrix<Element>, output: Matrix<Element>) {
    forward(self.projection(projection), input: input, output: output)
  }

  func backward(
    _ projection: GatedMLPProjection, input: Matrix<Element>, dOutput: Matrix<Element>,
    addingTo dInput: Matrix<Element>?
  ) {
    backward(self.projection(projection), input: input, dOutput: dOutput, addingTo: dInput)
  }
}
