// The optimizer: AdamW over the one flat vector of trainable parameters.
import Foundation

/// What AdamW carries from step to step.
package struct OptimizerState: Sendable, Equatable {
  /// Updates made so far.
  package var step = 0
  /// Running means of the gradients and of their squares, in the order of the adapter's layout.
  package var expAvg, expAvgSq: [Float]
  /// Powers of two above the magnitudes of a batch's gradients, one a tensor of the layout, in which the next step's
  /// exact sum counts; empty at the start.
  package var gradientExponents: [Int] = []

  /// The start of training: no update, all moments zero.
  package init(count: Int) {
    expAvg = [Float](repeating: 0, count: count)
    expAvgSq = expAvg
  }
}

/// AdamW with decoupled weight decay, in the order of operations of `torch.optim.AdamW`.
package struct AdamW: Sendable, Equatable {
  package var beta1, beta2, epsilon, weightDecay: Double

  package init(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double) {
    (self.beta1, self.beta2, self.epsilon, self.weightDecay) = (beta1, beta2, epsilon, weightDecay)
  }

  /// p -= lr (wd p + m^ / (sqrt(v^) + eps)) with bias-corrected moments m^, v^, and with lr times its factor in each
  /// range.
  /// - Precondition: all have the state's count, and the ranges cover it in order.
  package func update(
    _ parameters: UnsafeMutableBufferPointer<Float>, gradients: [Float], learningRate: Double,
    factors: [(range: Range<Int>, factor: Double)], state: inout OptimizerState
  ) {
    precondition(parameters.count == state.expAvg.count && gradients.count == state.expAvg.count)
    state.step += 1
    var end = 0
    for (range, factor) in factors {
      precondition(range.lowerBound == end && range.upperBound <= parameters.count, "a parameter is left out")
      end = range.upperBound
      update(parameters, gradients: gradients, learningRate: learningRate * factor, in: range, state: &state)
    }
    precondition(end == parameters.count, "a parameter is left out")
  }

  private func update(
    _ parameters: UnsafeMutableBufferPointer<Float>, gradients: [Float], learningRate: Double, in range: Range<Int>,
    state: inout OptimizerState
  ) {
    let (beta1, beta2) = (Float(self.beta1), Float(self.beta2))
    let (rest1, rest2) = (Float(1 - self.beta1), Float(1 - self.beta2))
    let decay = Float(1 - learningRate * weightDecay)
    let stepSize = Float(learningRate / (1 - pow(self.beta1, Double(state.step))))
    let correction = Float((1 - pow(self.beta2, Double(state.step))).squareRoot())
    let epsilon = Float(self.epsilon)
    for i in range {
      let g = gradients[i]
      state.expAvg[i] = beta1 * state.expAvg[i] + rest1 * g
      state.expAvgSq[i] = beta2 * state.expAvgSq[i] + rest2 * g * g
      parameters[i] =
        parameters[i] * decay - stepSize * state.expAvg[i] / (state.expAvgSq[i].squareRoot() / correction + epsilon)
    }
  }
}

/// The 2-norm of a vector, summed in double precision in index order.
package func euclideanNorm(_ values: [Float]) -> Double {
  values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
}
