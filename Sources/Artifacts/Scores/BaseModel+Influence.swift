// The influence of examples from one pass over the frozen base: forward together, backward for each by itself.
import Adapters
import Batches
import Tensors

extension BaseModel {
  /// Gradients of an example's mean NLL for all estimators: gate `[L Hkv]`, rank-1 `[L Hkv D]`, and the squared norms
  /// of the heads' weight gradients `[L Hkv]`.
  package typealias InfluenceGradients = (gate: [Float], rank1: [Float], weightGradientNorm2: [Double])

  /// Those of each of a batch's samples.
  package func influence(
    of batch: PackedBatch, probe: InfluenceProbe<Float>, activationBytes: Int = .max
  ) -> [InfluenceGradients] {
    let probes = (0..<batch.sampleCount).map { _ in probe.fresh }
    let losses = lossAndSeparateGradients(batch, adapters: probes, activationBytes: activationBytes)
    return zip(losses, probes).map { loss, probe in
      let tokens = Float(loss.tokens)
      return (
        probe.gateGradient.values.map { $0 / tokens }, probe.rank1Gradient.values.map { $0 / tokens },
        probe.weightGradientNorm2.map { $0 / Double(tokens) / Double(tokens) }
      )
    }
  }
}
