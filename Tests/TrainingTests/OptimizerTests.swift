import Testing

@testable import Training

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
    var optimizer = AdamW(
      count: 3, options: AdamW.Options(beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1))
    for (gradient, expected) in zip(gradients, expected) {
      parameters.withUnsafeMutableBufferPointer { optimizer.update($0, gradients: gradient, learningRate: 1e-2) }
      for (a, b) in zip(parameters, expected) { #expect(abs(a - b) <= 2e-7 * abs(b)) }
    }
  }
}

@Suite("The learning rate is a function of the step")
struct ScheduleTests {
  func schedule(_ shape: LearningRateSchedule.Shape) -> LearningRateSchedule {
    LearningRateSchedule(peak: 8, shape: shape, warmupSteps: 4, totalSteps: 12)
  }

  @Test(arguments: LearningRateSchedule.Shape.allCases) func warmUp(shape: LearningRateSchedule.Shape) {
    #expect((1...5).map(schedule(shape).learningRate(step:)) == [2, 4, 6, 8, 8])
  }

  @Test func decay() {
    #expect(schedule(.constant).learningRate(step: 12) == 8)
    #expect((5...12).map(schedule(.linear).learningRate(step:)) == [8, 7, 6, 5, 4, 3, 2, 1])
    #expect(abs(schedule(.cosine).learningRate(step: 9) - 4) < 1e-12)
    #expect(schedule(.cosine).learningRate(step: 12) > 0)
  }

  @Test func noWarmUpAndOneStep() {
    let one = LearningRateSchedule(peak: 3, shape: .cosine, warmupSteps: 0, totalSteps: 1)
    #expect(one.learningRate(step: 1) == 3)
  }
}
