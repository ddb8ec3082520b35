// The learning rate of each optimizer step: warm-up, then constant, linear or cosine decay.
import Foundation
import RunFile

/// A pure function of the step number, so that resuming needs no schedule state.
package struct LearningRateSchedule: Sendable, Equatable {
  package var peak: Double
  package var schedule: Schedule
  package var warmupSteps: Int
  package var totalSteps: Int

  package init(peak: Double, schedule: Schedule, warmupSteps: Int, totalSteps: Int) {
    (self.peak, self.schedule, self.warmupSteps, self.totalSteps) = (peak, schedule, warmupSteps, totalSteps)
  }

  init(_ training: RunConfiguration.Training, totalSteps: Int) {
    self.init(
      peak: training.learningRate, schedule: training.schedule, warmupSteps: training.warmup(totalSteps: totalSteps),
      totalSteps: totalSteps)
  }

  /// Rate of optimizer step `step`, counted from 1: rises linearly to the peak at the last warm-up step and stays there
  /// for the step after it, then decays so that a step after the last would be zero.
  package func learningRate(step: Int) -> Double {
    if step <= warmupSteps { return peak * Double(step) / Double(warmupSteps) }
    let progress = Double(step - 1 - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    switch schedule {
    case .constant: return peak
    case .linear: return peak * max(0, 1 - progress)
    case .cosine: return peak * (1 + cos(.pi * min(1, progress))) / 2
    }
  }
}
