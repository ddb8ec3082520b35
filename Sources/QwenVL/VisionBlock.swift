// One block of the vision tower, and the mergers; forward only, since the tower is frozen.
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

  /// x + attention(norm(x)), then + mlp(norm).   x [P, H], changed in place
  func forward(inPlace x: Matrix<Element>, rotary: Rotary<Element>, pattern: AttentionPattern) {
    let H = x.columns
    let qkv = queryKeyValue.forward(norm1.forward(x))  // [P, 3 H]
    let (q, k, v) = (qkv.columns(0..<H), qkv.columns(H..<2 * H), qkv.columns(2 * H..<3 * H))
    rotary.forward(inPlace: q)
    rotary.forward(inPlace: k)
    x.add(projection.forward(attention.forward(q: q, k: k, v: v, pattern: pattern).output))
    x.add(mlp.forward(norm2.forward(x)))
  }
}

/// What follows attention in a block.
protocol VisionMLP<Element>: Sendable {
  associatedtype Element: Scalar
  /// x [R, in] -> [R, out]
  func forward(_ x: Matrix<Element>) -> Matrix<Element>
}

/// down(silu(gate x) up x)
struct GatedMLP<Element: Scalar>: VisionMLP {
  let gateProjection, upProjection, downProjection: Linear<Element>

  func forward(_ x: Matrix<Element>) -> Matrix<Element> {
    downProjection.forward(SwiGLU.forward(gate: gateProjection.forward(x), up: upProjection.forward(x)))
  }
}

/// second(act(first x))
struct PlainMLP<Element: Scalar>: VisionMLP {
  let first: Linear<Element>
  let activation: GELU
  let second: Linear<Element>

  func forward(_ x: Matrix<Element>) -> Matrix<Element> {
    let h = first.forward(x)
    activation.forward(inPlace: h)
    return second.forward(h)
  }
}

/// Joins merge x merge patches to one visual token of the decoder's width (transformers `Qwen2_5_VLPatchMerger`,
/// `Qwen3VLVisionPatchMerger`).
struct PatchMerger<Element: Scalar>: Sendable {
  /// Of each patch, or of the joined patches if it is as wide as they are.
  let norm: any Norm<Element>
  let mlp: PlainMLP<Element>

  /// x [P, H] -> [P / merge^2, out]
  func forward(_ x: Matrix<Element>) -> Matrix<Element> {
    let width = mlp.first.weight.columns
    return mlp.forward(norm.forward(x.reshaped(rows: x.rows * x.columns / width, columns: width)))
  }
}
