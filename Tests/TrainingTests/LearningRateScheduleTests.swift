import RunFile
import Testing

@testable import Training

@Suite("The learning rate is a function of the step")
struct ScheduleTests {
  func schedule(_ shape: Schedule) -> LearningRateSchedule {
    LearningRateSchedule(peak: 8, schedule: shape, warmupSteps: 4, totalSteps: 12)
  }

  @Test(arguments: Schedule.allCases) func warmUp(shape: Schedule) {
    #expect((1...5).map(schedule(shape).learningRate(step:)) == [2, 4, 6, 8, 8])
  }

  @Test func decay() {
    #expect(schedule(.constant).learningRate(step: 12) == 8)
    #expect((5...12).map(schedule(.linear).learningRate(step:)) == [8, 7, 6, 5, 4, 3, 2, 1])
    #expect(abs(schedule(.cosine).learningRate(step: 9) - 4) < 1e-12)
    #expect(schedule(.cosine).learningRate(step: 12) > 0)
  }

  @Test("decays end at the minimum, which a constant rate does not have") func minimum() {
    func rates(_ shape: Schedule, _ steps: ClosedRange<Int>) -> [Double] {
      var found = schedule(shape)
      found.minimum = 4
      return steps.map(found.learningRate(step:))
    }
    #expect(rates(.linear, 5...13) == [8, 7.5, 7, 6.5, 6, 5.5, 5, 4.5, 4])
    #expect(rates(.constant, 12...13) == [8, 8])
    #expect(abs(rates(.cosine, 9...9)[0] - 6) < 1e-12 && rates(.cosine, 13...13) == [4])
    #expect(rates(.cosine, 1...4) == [2, 4, 6, 8], "the warm-up begins at 0")
  }

  @Test func noWarmUpAndOneStep() {
    let one = LearningRateSchedule(peak: 3, schedule: .cosine, warmupSteps: 0, totalSteps: 1)
    #expect(one.learningRate(step: 1) == 3)
  }
}
