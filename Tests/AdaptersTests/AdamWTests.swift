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
        optimizer.update($0, gradients: gradient, learningRate: 1e-2, factors: [(0..<3, 1)], state: &state)
      }
      for (a, b) in zip(parameters, expected) { #expect(abs(a - b) <= 2e-7 * abs(b)) }
    }
    #expect(state.step == 3)
  }

  @Test("a factor on the rate is that rate, weight decay included, and moments know nothing of it")
  func factors() {
    let optimizer = AdamW(beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1)
    func after(_ rate: Double, _ factors: [(range: Range<Int>, factor: Double)]) -> ([Float], OptimizerState) {
      var (parameters, state): ([Float], OptimizerState) = ([1, -2, 0.5, 3], OptimizerState(count: 4))
      for gradient: [Float] in [[0.1, -3, 0, 1], [0.2, 1, -1e-4, 2]] {
        parameters.withUnsafeMutableBufferPointer {
          optimizer.update($0, gradients: gradient, learningRate: rate, factors: factors, state: &state)
        }
      }
      return (parameters, state)
    }
    let (whole, moments) = after(1e-2, [(0..<4, 1)])
    let (scaled, others) = after(1e-3, [(0..<1, 10), (1..<3, 1), (3..<4, 10)])
    #expect(scaled[0] == whole[0] && scaled[3] == whole[3] && moments == others)
    #expect(scaled[1...2] == after(1e-3, [(0..<4, 1)]).0[1...2])
  }

  @Test("each kind of tensor has its factor, whatever its layer") func ranges() {
    let factors = RateFactors(A: 3, B: 100, gamma: 1)
    let image = ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [0: [0], 2: [0, 1]])
      .layout(hiddenSize: 4) { _ in 3 }
    #expect(factors.ranges(image).map(\.range) == [0..<8, 8..<14, 14..<15, 15..<23, 23..<35, 35..<36])
    #expect(factors.ranges(image).map(\.factor) == [3, 100, 1, 3, 100, 1])
    let lora = LoRAConfiguration(rank: 2, alpha: 4, targets: [1: [.query, .value]])
      .layout { _ in ProjectionWidths(input: 4, output: 3) }
    #expect(factors.ranges(lora).map(\.factor) == [3, 100, 3, 100])
    #expect(RateFactors.plain.ranges(lora).map(\.range) == [0..<lora.count])
  }
}
