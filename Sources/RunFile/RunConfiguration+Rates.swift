// How fast a run learns where its file does not say: by known factors of the model and the adapter (docs/rates.md).
import Adapters
import HuggingFace
import QwenVL

extension RunConfiguration {
  /// The peak learning rate: as stated, or 1 / H for a decoder of hidden size H.
  package func learningRate(_ text: TextConfiguration) -> Double {
    training.learningRate ?? 1 / Double(text.hiddenSize)
  }

  /// Factors on it for each kind of tensor: as stated, or those with which a step changes what an adapter adds as a
  /// step of a LoRA does: A by as large a part of its start, gamma B by as much.
  package func rateFactors(_ text: TextConfiguration) -> RateFactors {
    if let stated = training.rateFactors { return stated }
    switch adapter.kind {
    case .lora: return .plain
    case .imageLoRA:
      // A LoRA's A starts with a deviation of 1 / sqrt(3 H), an Image-LoRA's with 1 / r.
      let wider = (3 * Double(text.hiddenSize)).squareRoot() / Double(adapter.rank)
      return RateFactors(A: wider, B: 1 / adapter.gamma, gamma: 1)
    }
  }

  /// Writes both into the run, so that its checkpoints, its digest and whoever reads it have the numbers.
  /// - Throws: `RunFileError` where the schedule would end above its peak.
  package mutating func settleRates(_ text: TextConfiguration) throws(RunFileError) {
    let peak = learningRate(text)
    if let minimum = training.minLearningRate, minimum > peak {
      throw .value(
        place: "run file", key: "training.min_learning_rate", value: minimum.yaml,
        expected: "at most \(peak.yaml), the peak for this model; lower it or state training.learning_rate")
    }
    (training.learningRate, training.rateFactors) = (peak, rateFactors(text))
  }
}
