// One block of the vision tower, and the merger behind the last; forward only, since the tower is frozen.
import Layers
import Tensors

/// Attention in windows or over a frame, and a gated MLP (transformers `Qwen2_5_VLVisionBlock`).
struct VisionBlock<Element: Scalar>: Sendable {
  let norm1: RMSNorm<Element>
  let queryKeyValue: Linear<Element>
  let attention: Attention<Element>
  let projection: Linear<Element>
  let norm2: RMSNorm<Element>
  let gateProjection, upProjection, downProjection: Linear<Element>

  /// x + attention(norm(x)), then + mlp(norm).   x [P, H], changed in place
  func forward(inPlace x: Matrix<Element>, rotary: Rotary<Element>, pattern: AttentionPattern) {
    let H = x.columns
    let qkv = queryKeyValue.forward(norm1.forward(x))  // [P, 3 H]
    let (q, k, v) = (qkv.columns(0..<H), qkv.columns(H..<2 * H), qkv.columns(2 * H..<3 * H))
    rotary.forward(inPlace: q)
    rotary.forward(inPlace: k)
    x.add(projection.forward(attention.forward(q: q, k: k, v: v, pattern: pattern).output))
    let n = norm2.forward(x)
    x.add(downProjection.forward(SwiGLU.forward(gate: gateProjection.forward(n), up: upProjection.forward(n))))
  }
}

/// Joins merge x merge patches to one visual token of the decoder's width (transformers `Qwen2_5_VLPatchMerger`).
struct PatchMerger<Element: Scalar>: Sendable {
  let norm: RMSNorm<Element>
  let first, second: Linear<Element>

  /// x [P, H] -> [P / merge^2, out]
  func forward(_ x: Matrix<Element>) -> Matrix<Element> {
    let width = first.weight.columns
    let h = first.forward(norm.forward(x).reshaped(rows: x.rows * x.columns / width, columns: width))
    GELU.forward(inPlace: h)
    return second.forward(h)
  }
}
