// An example's influence from one backward pass over the frozen base.
import Adapters
import Batches
import Tensors

extension BaseModel {
  /// Gradients of an example's mean NLL for all estimators: gate `[L Hkv]`, rank-1 `[L Hkv D]`, and the squared norms
  /// of the heads' weight gradients `[L Hkv]`.
  package func influence(
    of example: PackedBatch, probe: InfluenceProbe<Float>, activationBytes: Int = .max
  ) -> (gate: [Float], rank1: [Float], weightGradientNorm2: [Double]) {
    probe.reset()
    let tokens = Float(lossAndGradient(example, adapter: probe, activationBytes: activationBytes)[0].tokens)
    return (
      probe.gateGradient.values.map { $0 / tokens }, probe.rank1Gradient.values.map { $0 / tokens },
      probe.weightGradientNorm2.map { $0 / Double(tokens) / Double(tokens) }
    )
  }
}
