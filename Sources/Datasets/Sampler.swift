// Which examples an optimizer step takes: a function of seed and step, so that any step can be asked for alone.
import RandomNumbers
import Synchronization

/// Draws without replacement: each epoch is one permutation of all examples, and epochs follow each other without a
/// gap. So every step has exactly `globalBatch` examples, and a step may span the end of an epoch.
package struct Sampler: Sendable {
  package let exampleCount: Int
  /// Examples of an optimizer step, over all ranks.
  package let globalBatch: Int
  package let seed: UInt64
  /// Examples that stay adjacent, by group in order of first appearance; nil where examples are not grouped.
  private let groups: [[Int]]?
  private let cache = PermutationCache()

  /// A sampler of `rows` examples; `groups` gives each example's group key, as from `imageKeys(of:)`.
  package init(examples: Int, groups keys: [Int]? = nil, globalBatch: Int, seed: UInt64) {
    precondition(examples > 0 && globalBatch > 0, "a step needs examples")
    precondition(keys == nil || keys?.count == examples, "one group key an example")
    (exampleCount, self.globalBatch, self.seed) = (examples, globalBatch, seed)
    groups = keys.map { keys in
      var places: [Int: Int] = [:]
      var groups: [[Int]] = []
      for (example, key) in keys.enumerated() {
        if let place = places[key] {
          groups[place].append(example)
        } else {
          places[key] = groups.count
          groups.append([example])
        }
      }
      return groups
    }
  }

  /// Steps of one epoch, as a fraction.
  package var stepsPerEpoch: Double { Double(exampleCount) / Double(globalBatch) }

  /// The fewest steps that take at least `epochs` epochs.
  package func steps(epochs: Double) -> Int {
    precondition(epochs > 0 && epochs * stepsPerEpoch < 0x1p53, "epochs are positive and countable")
    return max(1, Int((epochs * stepsPerEpoch).rounded(.up)))
  }

  /// The epoch, from 0, of the first example of a step, from 0.
  package func epoch(step: Int) -> Int { firstExample(of: step) / exampleCount }

  /// The examples of a step, from 0, in order: `globalBatch` indices into the data set.
  package func examples(step: Int) -> [Int] {
    let first = firstExample(of: step)
    var examples: [Int] = []
    examples.reserveCapacity(globalBatch)
    while examples.count < globalBatch {
      let (epoch, offset) = (first + examples.count).quotientAndRemainder(dividingBy: exampleCount)
      examples += cache.order(epoch: epoch) { order(epoch: epoch) }[offset...].prefix(globalBatch - examples.count)
    }
    return examples
  }

  /// The order of all examples in an epoch, from 0: groups are shuffled, the examples of one keep the file's order.
  func order(epoch: Int) -> [Int] {
    var generator = SplitMix64(seed: seed, stream: UInt64(epoch))
    if var groups {
      generator.shuffle(&groups)
      return groups.flatMap(\.self)
    }
    var examples = Array(0..<exampleCount)
    generator.shuffle(&examples)
    return examples
  }

  private func firstExample(of step: Int) -> Int {
    precondition(step >= 0, "steps are counted from 0")
    return step * globalBatch
  }
}

/// The last permutation asked for; it saves time and never changes an answer.
private final class PermutationCache: Sendable {
  private let last = Mutex<(epoch: Int, order: [Int])?>(nil)

  func order(epoch: Int, compute: () -> [Int]) -> [Int] {
    last.withLock { last in
      if let last, last.epoch == epoch { return last.order }
      let order = compute()
      last = (epoch, order)
      return order
    }
  }
}
