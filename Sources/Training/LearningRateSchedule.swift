// The learning rate of each optimizer step: warm-up, then constant, linear or cosine decay.
import Foundation
import RunFile

/// A pure function of the step number, so that resuming needs no schedule state.
package struct LearningRateSchedule: Sendable, Equatable {
  package var peak: Double
  /// Where the decay ends.
  package var minimum: Double
  package var schedule: Schedule
  package var warmupSteps: Int
  package var totalSteps: Int

  package init(peak: Double, minimum: Double = 0, schedule: Schedule, warmupSteps: Int, totalSteps: Int) {
    (self.peak, self.minimum, self.schedule) = (peak, minimum, schedule)
    (self.warmupSteps, self.totalSteps) = (warmupSteps, totalSteps)
  }

  init(_ training: RunConfiguration.Training, peak: Double, totalSteps: Int) {
    self.init(
      peak: peak, minimum: training.minLearningRate ?? 0, schedule: training.schedule,
      warmupSteps: training.warmup(totalSteps: totalSteps), totalSteps: totalSteps)
  }

  /// Rate of optimizer step `step`, counted from 1: rises linearly to the peak at the last warm-up step and stays there
  /// for the step after it, then decays so that a step after the last would have the minimum.
  package func learningRate(step: Int) -> Double {
    if step <= warmupSteps { return peak * Double(step) / Double(warmupSteps) }
    let progress = Double(step - 1 - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    let part: Double
    switch schedule {
    case .constant: return peak
    case .linear: part = max(0, 1 - progress)
    case .cosine: part = (1 + cos(.pi * min(1, progress))) / 2
    }
    return minimum + (peak - minimum) * part
  }
}
