// What follows attention in a block of the vision tower, and the mergers of patches.
import Layers
import Tensors

/// An MLP of the vision tower.
protocol VisionMLP<Element>: Sendable {
  associatedtype Element: Scalar
  /// x [R, in] -> [R, out], and what backward needs where there is an adapter.
  func forward(
    _ x: Matrix<Element>, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: VisionMLPActivations<Element>)

  /// The adapter's gradients, and the input's where it is needed.   dy [R, out], x [R, in] -> [R, in]
  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: VisionMLPActivations<Element>,
    _ adapter: PartAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>?
}

/// What backward needs of an MLP's forward.
enum VisionMLPActivations<Element: Scalar>: Sendable {
  /// No backward follows.
  case none
  case gated(GatedMLP<Element>.Activations)
  /// Pre-activations `[R, I]`.
  case plain(Matrix<Element>)

  var byteCount: Int {
    switch self {
    case .none: 0
    case .gated(let activations): activations.byteCount
    case .plain(let h): h.byteCount
    }
  }
}

extension GatedMLP: VisionMLP {
  func forward(
    _ x: Matrix<Element>, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: VisionMLPActivations<Element>) {
    let (y, activations) = forward(
      x, adapter.map { $0 as any GatedMLPAdapter<Element> }, keeping: adapter != nil)
    return (y, adapter == nil ? .none : .gated(activations))
  }

  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: VisionMLPActivations<Element>,
    _ adapter: PartAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>? {
    guard case .gated(let saved) = activations else { preconditionFailure("activations of another MLP") }
    return backward(dy, input: { x }, saved, rows: 0..<dy.rows, adapter, isInputNeeded: isInputNeeded)
  }
}

extension PartAdapter: GatedMLPAdapter {
  private func role(_ projection: GatedMLPProjection) -> TowerModule.Role {
    switch projection {
    case .gate: .gate
    case .up: .up
    case .down: .down
    }
  }

  func adapts(_ projection: GatedMLPProjection) -> Bool { adapts(role(projection)) }

  func forward(_ projection: GatedMLPProjection, input: Matrix<Element>, output: Matrix<Element>) {
    forward(role(projection), input: input, output: output)
  }

  func backward(
    _ projection: GatedMLPProjection, input: Matrix<Element>, dOutput: Matrix<Element>,
    addingTo dInput: Matrix<Element>?
  ) {
    backward(role(projection), input: input, dOutput: dOutput, addingTo: dInput)
  }
}

/// second(act(first x))
struct PlainMLP<Element: Scalar>: VisionMLP {
  let first: Linear<Element>
  let activation: GELU
  let second: Linear<Element>

  func forward(
    _ x: Matrix<Element>, _ adapter: PartAdapter<Element>?
  ) -> (y: Matrix<Element>, activations: VisionMLPActivations<Element>) {
    let h = first.forward(x)
    adapter?.forward(.first, input: x, output: h)
    let activations: VisionMLPActivations<Element> = adapter == nil ? .none : .plain(h.copy)
    activation.forward(inPlace: h)
    let y = second.forward(h)
    adapter?.forward(.second, input: h, output: y)
    return (y, activations)
  }

  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: VisionMLPActivations<Element>,
    _ adapter: PartAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>? {
    guard case .plain(let h) = activations else { preconditionFailure("activations of another MLP") }
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
  ) -> (y: Matrix<Element>, activations: VisionMLPActivations<Element>) {
    mlp.forward(norm.forward(joined(x)), adapter)
  }

  /// The adapter's gradients, and dx `[P, H]` where it is needed.   dy [P / merge^2, out], x [P, H]
  func backward(
    _ dy: Matrix<Element>, input x: Matrix<Element>, _ activations: VisionMLPActivations<Element>,
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
