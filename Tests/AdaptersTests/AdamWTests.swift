import Testing

@testable import Adapters

@Suite("AdamW makes the steps of torch.optim.AdamW")
struct AdamWTests {
  /// From torch 2.13: `AdamW([p], lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)` with p = [1, -2, 0.5] and
  /// the gradients below, one step after the other.
  @Test func threeSteps() {
    var parameters: [Float] = [1, -2, 0.5]
    let gradients: [[Float]] = [[0.1, -3, 0], [0.2, 1, -1e-4], [-0.5, 2, 1e-6]]
    let expected: [[Float]] = [
      [0.98900002, -1.98800004, 0.49950001], [0.97837234, -1.98200262, 0.50642407],
      [0.98017168, -1.98082495, 0.51160479],
    ]
    let optimizer = AdamW(beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1)
    var state = OptimizerState(count: 3)
    for (gradient, expected) in zip(gradients, expected) {
      parameters.withUnsafeMutableBufferPointer {
        optimizer.update($0, gradients: gradient, learningRate: 1e-2, state: &state)
      }
      for (a, b) in zip(parameters, expected) { #expect(abs(a - b) <= 2e-7 * abs(b)) }
    }
    #expect(state.step == 3)
  }
}
