// The norm behind a delta rule and the gate on it: y = w norm(o) silu(z), each head by itself.
import Tensors

/// A frozen gated RMSNorm (transformers `Qwen3_5RMSNormGated`); the norm comes before the gate.
package struct GatedNorm<Element: Scalar>: Sendable {
  private let norm: RMSNorm<Element>

  /// - Parameter weight: `[dv]`, shared by the heads.
  package init(weight: StoredTensor, epsilon: Double) { norm = RMSNorm(weight: weight, epsilon: epsilon) }

  /// y = w o r silu(z), r = 1 / sqrt(mean(o^2) + eps).   o, z [R, heads dv] -> y [R, heads dv]
  package func forward(_ o: Matrix<Element>, gate z: Matrix<Element>) -> Matrix<Element> {
    SwiGLU.forward(gate: z, up: norm.forward(o))
  }

  /// The gradients of o and of its gate.   dy [R, heads dv] -> [R, heads dv] each
  package func backward(
    _ dy: Matrix<Element>, input o: Matrix<Element>, gate z: Matrix<Element>
  ) -> (o: Matrix<Element>, gate: Matrix<Element>) {
    let (dz, dn) = SwiGLU.backward(dy, gate: z, up: norm.forward(o))
    return (norm.backward(dn, input: o), dz)
  }
}
