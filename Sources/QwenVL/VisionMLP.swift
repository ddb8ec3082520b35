// What follows attention in a block of the vision tower, and the mergers of patches.
import Layers
import Tensors

/// An MLP of the vision tower.
protocol VisionMLP<Element>: Sendable {
  associatedtype Element: Scalar
  /// x [R, in] -> [R, out], and the pre-activations where there is an adapter.
  func forward(
    _ x: Matrix<Element>, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: [Matrix<Element>])

  /// The adapter's gradients, and the input's where it is needed.   dy [R, out], x [R, in] -> [R, in]
  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: [Matrix<Element>],
    _ adapter: PartAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>?
}

/// down(silu(gate x) up x)
struct GatedMLP<Element: Scalar>: VisionMLP {
  let gateProjection, upProjection, downProjection: Linear<Element>

  func forward(
    _ x: Matrix<Element>, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: [Matrix<Element>]) {
    let factor = gateProjection.factor(x)
    let (gate, up) = (gateProjection.forward(factor), upProjection.forward(factor))
    adapter?.forward(.gate, input: x, output: gate)
    adapter?.forward(.up, input: x, output: up)
    let product = SwiGLU.forward(gate: gate, up: up)
    let y = downProjection.forward(product)
    adapter?.forward(.down, input: product, output: y)
    return (y, adapter == nil ? [] : [gate, up])
  }

  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: [Matrix<Element>],
    _ adapter: PartAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>? {
    let (gate, up) = (activations[0], activations[1])
    let dProduct = isInputNeeded || adapter.adapts(.gate, .up) ? downProjection.backward(dy) : nil
    if adapter.adapts(.down) {
      adapter.backward(.down, input: SwiGLU.forward(gate: gate, up: up), dOutput: dy, addingTo: dProduct)
    }
    guard let dProduct else { return nil }
    let (dGate, dUp) = SwiGLU.backward(dProduct, gate: gate, up: up)
    let dx = isInputNeeded ? gateProjection.backward(dGate) : nil
    if let dx { upProjection.backward(dUp, addingTo: dx) }
    adapter.backward(.gate, input: x, dOutput: dGate, addingTo: dx)
    adapter.backward(.up, input: x, dOutput: dUp, addingTo: dx)
    return dx
  }
}

/// second(act(first x))
struct PlainMLP<Element: Scalar>: VisionMLP {
  let first: Linear<Element>
  let activation: GELU
  let second: Linear<Element>

  func forward(
    _ x: Matrix<Element>, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: [Matrix<Element>]) {
    let h = first.forward(x)
    adapter?.forward(.first, input: x, output: h)
    let activations = adapter == nil ? [] : [h.copy]
    activation.forward(inPlace: h)
    let y = second.forward(h)
    adapter?.forward(.second, input: h, output: y)
    return (y, activations)
  }

  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: [Matrix<Element>],
    _ adapter: PartAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>? {
    let h = activations[0]
    let dh = isInputNeeded || adapter.adapts(.first) ? second.backward(dy) : nil
    if adapter.adapts(.second) {
      let activated = h.copy
      activation.forward(inPlace: activated)
      adapter.backward(.second, input: activated, dOutput: dy, addingTo: dh)
    }
    guard let dh else { return nil }
    activation.backward(inPlace: dh, input: h)
    let dx = isInputNeeded ? first.backward(dh) : nil
    adapter.backward(.first, input: x, dOutput: dh, addingTo: dx)
    return dx
  }
}

/// Joins merge x merge patches to one visual token of the decoder's width (transformers `Qwen2_5_VLPatchMerger`,
/// `Qwen3VLVisionPatchMerger`).
struct PatchMerger<Element: Scalar>: Sendable {
  /// Of each patch, or of the joined patches if it is as wide as they are.
  let norm: any Norm<Element>
  let mlp: PlainMLP<Element>

  /// x [P, H] -> [P / merge^2, out]
  func forward(
    _ x: Matrix<Element>, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: [Matrix<Element>]) {
    mlp.forward(norm.forward(joined(x)), adapter)
  }

  /// The adapter's gradients, and dx `[P, H]` where it is needed.   dy [P / merge^2, out], x [P, H]
  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: [Matrix<Element>],
    _ adapter: PartAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>? {
    let joined = joined(x)
    let dn = mlp.backward(
      dy, input: norm.forward(joined), activations, adapter, isInputNeeded: isInputNeeded)
    return dn.map { norm.backward($0, input: joined).reshaped(rows: x.rows, columns: x.columns) }
  }

  /// Patches of a visual token in one row.
  private func joined(_ x: Matrix<Element>) -> Matrix<Element> {
    let width = mlp.first.weight.columns
    return x.reshaped(rows: x.rows * x.columns / width, columns: width)
  }
}
