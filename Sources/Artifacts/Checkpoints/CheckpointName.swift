// The names of checkpoints: the step, and whether its validation was still to come.

/// `step-00000120.h5`, or `step-00000120.due.h5` where a signal came before the step's validation. The step is saved
/// again under its own name when the validation was made up for, so that no name is written twice.
package struct CheckpointName: Sendable, Hashable, Comparable {
  package let step: Int
  /// Whether the step's validation is still to come.
  package let isDue: Bool

  package init(step: Int, isDue: Bool = false) { (self.step, self.isDue) = (step, isDue) }

  /// Nil for every other name, also for another spelling of these.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts[0].hasPrefix("step-"), let step = Int(parts[0].dropFirst(5)), step >= 0
    else { return nil }
    self.init(step: step, isDue: parts.count == 3)
    guard self.text.utf8.elementsEqual(text.utf8) else { return nil }
  }

  package var text: String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + (isDue ? ".due" : "") + ".h5"
  }

  package static func < (a: CheckpointName, b: CheckpointName) -> Bool {
    a.step != b.step ? a.step < b.step : a.isDue && !b.isDue
  }
}
