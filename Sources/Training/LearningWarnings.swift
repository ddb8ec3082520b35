// What a run says when it does not learn, or learns something else than it is measured by.
import Artifacts
import Evaluation
import Formatting

enum LearningWarnings {
  /// A loss that has changed by less than this part of itself has not moved.
  private static let leastMove = 0.005
  private static let remedy = "raise training.learning_rate (docs/rates.md)"

  /// That the loss has not moved since before the first step, neither now nor where it was best; nil where it has.
  static func unmoved(
    from start: TrainingState.Validated, to now: TrainingState.Validated, best: TrainingState.Validated?
  ) -> String? {
    guard [now, best ?? now].allSatisfy({ abs($0.loss - start.loss) < leastMove * start.loss }) else { return nil }
    return "the validation loss moved from \(fixed(start.loss, 4)) to \(fixed(now.loss, 4)) in "
      + "\(plural(now.step, "step")): \(remedy)"
  }

  /// The same of a run without validation, whose first two epochs have the same examples.
  /// - Parameter steps: all so far.
  static func unmoved(_ steps: [TrainingState.StepMetrics], stepsPerEpoch: Double) -> String? {
    let epoch = Int(stepsPerEpoch)
    guard epoch > 0, steps.count == 2 * epoch else { return nil }
    func mean(_ part: ArraySlice<TrainingState.StepMetrics>) -> Double {
      part.reduce(0) { $0 + $1.loss * Double($1.tokens) } / Double(part.reduce(0) { $0 + $1.tokens })
    }
    let (first, second) = (mean(steps[..<epoch]), mean(steps[epoch...]))
    guard abs(second - first) < leastMove * first else { return nil }
    return "the loss of the second epoch is \(fixed(second, 4)), that of the first was \(fixed(first, 4)): \(remedy)"
  }

  /// That answers got worse while the loss fell; nil where they did not.
  static func regression(from start: TrainingState.Validated, to now: TrainingState.Validated) -> String? {
    guard let before = start.score, let after = now.score, before.name == after.name else { return nil }
    return Metrics.regression(
      after.words, from: (start.loss, before.value), to: (now.loss, after.value)
    ).map { "since step 0 " + $0 }
  }
}

extension TrainingState.Score {
  /// `point in box` of `point_in_box`.
  var words: String { name == "iou" ? "IoU" : name.split(separator: "_").joined(separator: " ") }
}
