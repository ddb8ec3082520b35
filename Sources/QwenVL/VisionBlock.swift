// One block of the vision tower: forward, and a backward for input gradients that an adapter of the tower needs.
import Layers
import Tensors

/// Attention in windows or over a frame, and an MLP (transformers `Qwen2_5_VLVisionBlock`, `Qwen3VLVisionBlock`).
struct VisionBlock<Element: Scalar>: Sendable {
  let norm1: any Norm<Element>
  let queryKeyValue: Linear<Element>
  let attention: Attention<Element>
  let projection: Linear<Element>
  let norm2: any Norm<Element>
  let mlp: any VisionMLP<Element>

  /// What backward needs of forward; dropped at once where no backward follows.
  struct SavedActivations: Sendable {
    /// Rotated queries, rotated keys and values, `[P, H]` each.
    let inputs: Attention<Element>.Inputs
    let attended: Attention<Element>.Result
    /// Residual stream after attention `[P, H]`.
    let h: Matrix<Element>
    let mlp: VisionMLPActivations<Element>

    var byteCount: Int {
      [attended.output, attended.logSumExp, h].reduce(inputs.byteCount + mlp.byteCount) { $0 + $1.byteCount }
    }
  }

  /// h = x + attention(norm(x)), y = h + mlp(norm(h)).   x [P, H] -> y [P, H]
  func forward(
    _ x: Matrix<Element>, rotary: Rotary<Element>, pattern: AttentionPattern, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, saved: SavedActivations) {
    let n = norm1.forward(x)
    let qkv = queryKeyValue.forward(n)
    adapter?.forward(.queryKeyValue, input: n, output: qkv)
    let (q, k, v) = Self.split(qkv)
    rotary.forward(inPlace: q)
    rotary.forward(inPlace: k)
    let inputs = attention.inputs(q: q, k: k, v: v, pattern: pattern)
    let attended = attention.forward(inputs)
    let h = projection.forward(attended.output)
    adapter?.forward(.attentionOutput, input: attended.output, output: h)
    h.add(x)
    let (y, activations) = mlp.forward(norm2.forward(h), adapter)
    y.add(h)
    return (y, SavedActivations(inputs: inputs, attended: attended, h: h, mlp: activations))
  }

  /// dx, and the adapter's part.
  /// - Parameters:
  ///   - dy: the gradient of y, `[P, H]`; the others take its place.
  ///   - isLowest: whether no gradient is needed below the adapted modules.
  /// - Returns: dx `[P, H]`; nil in the lowest block.
  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ saved: SavedActivations, rotary: Rotary<Element>,
    _ adapter: PartAdapter<Element>, isLowest: Bool
  ) -> Matrix<Element>? {
    let isAttentionNeeded = !isLowest || adapter.adapts(.queryKeyValue, .attentionOutput)
    let dm = mlp.backward(dy, input: norm2.forward(saved.h), saved.mlp, adapter, isInputNeeded: isAttentionNeeded)
    guard let dm else { return nil }
    norm2.backward(dm, input: saved.h, addingTo: dy)
    let dh = dy
    let isInputNeeded = !isLowest || adapter.adapts(.queryKeyValue)
    let dAttended = isInputNeeded ? projection.backward(dh) : nil
    adapter.backward(.attentionOutput, input: saved.attended.output, dOutput: dh, addingTo: dAttended)
    guard let dAttended else { return nil }
    let dqkv = attentionBackward(dAttended, saved, rotary: rotary)
    let dn = isLowest ? nil : queryKeyValue.backward(dqkv)
    adapter.backward(.queryKeyValue, input: norm1.forward(x), dOutput: dqkv, addingTo: dn)
    guard let dn else { return nil }
    norm1.backward(dn, input: x, addingTo: dh)
    return dh
  }

  /// dAttended [P, H] -> [P, 3 H]
  private func attentionBackward(
    _ dAttended: Matrix<Element>, _ saved: SavedActivations, rotary: Rotary<Element>
  ) -> Matrix<Element> {
    let rows = dAttended.rows
    let gradients = attention.backward(
      dAttended, saved.inputs, queries: 0..<rows, logSumExp: saved.attended.logSumExp, firstKey: 0, needed: .all)
    let dqkv = Matrix<Element>(uninitialized: rows, queryKeyValue.weight.rows)
    let (dq, dk, dv) = Self.split(dqkv)
    for (target, gradient) in [(dq, gradients.q), (dk, gradients.k), (dv, gradients.v)] {
      if let gradient { target.assign(gradient) }
    }
    rotary.backward(inPlace: dq)
    rotary.backward(inPlace: dk)
    return dqkv
  }

  /// Queries, keys and values.   [P, 3 H] -> [P, H] each
  private static func split(
    _ qkv: Matrix<Element>
  ) -> (q: Matrix<Element>, k: Matrix<Element>, v: Matrix<Element>) {
    let H = qkv.columns / 3
    return (qkv.columns(0..<H), qkv.columns(H..<2 * H), qkv.columns(2 * H..<3 * H))
  }
}
