// The learning rate of each optimizer step: warm-up, then constant, linear or cosine decay.
import Foundation

/// A pure function of the step number, so that resuming needs no schedule state.
package struct LearningRateSchedule: Sendable, Equatable {
  package enum Shape: String, Sendable, CaseIterable { case cosine, linear, constant }

  package var peak: Double
  package var shape: Shape
  package var warmupSteps: Int
  package var totalSteps: Int

  package init(peak: Double, shape: Shape, warmupSteps: Int, totalSteps: Int) {
    (self.peak, self.shape, self.warmupSteps, self.totalSteps) = (peak, shape, warmupSteps, totalSteps)
  }

  /// Rate of optimizer step `step`, counted from 1: rises linearly to the peak at the last warm-up step and stays there
  /// for the step after it, then decays so that a step beyond the last would be zero.
  package func learningRate(step: Int) -> Double {
    if step <= warmupSteps { return peak * Double(step) / Double(warmupSteps) }
    let progress = Double(step - 1 - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    switch shape {
    case .constant: return peak
    case .linear: return peak * max(0, 1 - progress)
    case .cosine: return peak * (1 + cos(.pi * min(1, progress))) / 2
    }
  }
}
