// The optimizer: AdamW over the one flat vector of trainable numbers.
import Foundation

/// AdamW with decoupled weight decay, in the order of operations of `torch.optim.AdamW`.
package struct AdamW: Sendable, Equatable {
  /// What does not change during a run.
  package struct Options: Sendable, Equatable {
    package var beta1, beta2, epsilon, weightDecay: Double
    package init(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double) {
      (self.beta1, self.beta2, self.epsilon, self.weightDecay) = (beta1, beta2, epsilon, weightDecay)
    }
  }

  package let options: Options
  /// Updates made.
  package var step: Int
  /// First and second moments, in the parameters' order.
  package var expAvg, expAvgSq: [Float]

  package init(count: Int, options: Options) {
    self.options = options
    step = 0
    expAvg = [Float](repeating: 0, count: count)
    expAvgSq = expAvg
  }

  /// p -= lr (wd p + m^ / (sqrt(v^) + eps)) with bias-corrected moments m^, v^.
  /// - Precondition: all have the optimizer's count.
  package mutating func update(
    _ parameters: UnsafeMutableBufferPointer<Float>, gradients: [Float], learningRate: Double
  ) {
    precondition(parameters.count == expAvg.count && gradients.count == expAvg.count)
    step += 1
    let (beta1, beta2) = (Float(options.beta1), Float(options.beta2))
    let (rest1, rest2) = (Float(1 - options.beta1), Float(1 - options.beta2))
    let decay = Float(1 - learningRate * options.weightDecay)
    let stepSize = Float(learningRate / (1 - pow(options.beta1, Double(step))))
    let correction = Float((1 - pow(options.beta2, Double(step))).squareRoot())
    let epsilon = Float(options.epsilon)
    for i in parameters.indices {
      let g = gradients[i]
      expAvg[i] = beta1 * expAvg[i] + rest1 * g
      expAvgSq[i] = beta2 * expAvgSq[i] + rest2 * g * g
      parameters[i] =
        parameters[i] * decay - stepSize * expAvg[i] / (expAvgSq[i].squareRoot() / correction + epsilon)
    }
  }
}

/// The 2-norm of a vector, summed in double precision in index order.
package func euclideanNorm(_ values: [Float]) -> Double {
  values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
}
