// Image groups that steps cut in two: their images pass the decoder in both.
import Datasets
import Formatting

/// What steps of the run's size do to image groups, and sizes that keep them whole.
package struct CutGroups: Equatable {
  /// Examples of an image, as most examples' images have.
  package let examples: Int
  /// How often an image passes in an epoch, on average.
  package let passes: Double
  /// Of a step, as the run has it.
  package let globalBatch: Int
  /// `training.global_batch` around it that has whole groups, ascending.
  package let globalBatches: [Int]

  /// Nil where most examples have an image of their own, or steps cut hardly any group.
  /// - Parameters:
  ///   - keys: the group key of each example.
  ///   - steps: image groups of some first steps of an epoch; see `sampledSteps`.
  package init?(keys: [Int], steps: [[ImageGroup]], globalBatch: Int, ranks: Int) {
    var sizes: [Int: Int] = [:]
    for key in keys { sizes[key, default: 0] += 1 }
    var weights: [Int: Int] = [:]
    for size in sizes.values { weights[size, default: 0] += size }
    guard let usual = weights.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), usual.key > 1,
      2 * usual.value > keys.count
    else { return nil }
    let images = Set(steps.joined().compactMap { $0.examples.first.map { keys[$0] } }).count
    let passes = Double(steps.reduce(0) { $0 + $1.count }) / Double(max(1, images))
    guard passes > 1.05 else { return nil }
    (examples, self.passes, self.globalBatch) = (usual.key, passes, globalBatch)
    // As many whole groups for every rank, unless that is far from what the run asks for.
    let unit = usual.key * ranks <= 2 * globalBatch ? usual.key * ranks : usual.key
    let below = globalBatch / unit * unit
    globalBatches = [below, below + unit].filter { $0 > 0 }
  }

  /// How many steps show what an epoch's are like: about 20,000 examples.
  package static func sampledSteps(of epoch: Double, globalBatch: Int) -> Int {
    min(Int(epoch.rounded(.up)), max(1, 20_000 / globalBatch))
  }

  /// What happens and what to do.
  package var advice: String {
    """
    most images have \(examples) examples, and steps of \(globalBatch) compute an image \(fixed(passes, 1)) times an epoch; \
    training.global_batch \(globalBatches.map(String.init).joined(separator: " or ")) keeps them whole
    """
  }
}
