// Which rows an optimizer step takes: a function of seed and step, so that any step can be asked for alone.
import RandomNumbers
import Synchronization

/// Draws without replacement: each epoch is one permutation of all rows, and epochs follow each other without a gap, so
/// that every step has exactly `globalBatch` rows and a step may span the end of an epoch.
package struct Sampler: Sendable {
  package let rowCount: Int
  /// Rows of an optimizer step, over all ranks.
  package let globalBatch: Int
  package let seed: UInt64
  /// Rows that stay adjacent, by group in order of first appearance; absent where every row is on its own.
  private let groups: [[Int]]?
  private let cache = PermutationCache()

  /// A sampler of `rows` rows; `groups` gives each row's group key, as from `imageGroups(of:)`.
  package init(rows: Int, groups keys: [Int]? = nil, globalBatch: Int, seed: UInt64) {
    precondition(rows > 0 && globalBatch > 0, "a step needs rows")
    precondition(keys == nil || keys?.count == rows, "one group key a row")
    (rowCount, self.globalBatch, self.seed) = (rows, globalBatch, seed)
    groups = keys.map { keys in
      var places: [Int: Int] = [:]
      var groups: [[Int]] = []
      for (row, key) in keys.enumerated() {
        if let place = places[key] {
          groups[place].append(row)
        } else {
          places[key] = groups.count
          groups.append([row])
        }
      }
      return groups
    }
  }

  /// Steps of one epoch, as a fraction.
  package var stepsPerEpoch: Double { Double(rowCount) / Double(globalBatch) }

  /// The fewest steps that take at least `epochs` epochs.
  package func steps(epochs: Double) -> Int {
    precondition(epochs > 0 && epochs * stepsPerEpoch < 0x1p53, "epochs are positive and countable")
    return max(1, Int((epochs * stepsPerEpoch).rounded(.up)))
  }

  /// The epoch, from 0, of the first row of a step, from 0.
  package func epoch(step: Int) -> Int { firstRow(of: step) / rowCount }

  /// The rows of the step after `step` finished ones, in order; `globalBatch` indices into the data set.
  package func rows(step: Int) -> [Int] {
    let first = firstRow(of: step)
    var rows: [Int] = []
    rows.reserveCapacity(globalBatch)
    while rows.count < globalBatch {
      let (epoch, offset) = (first + rows.count).quotientAndRemainder(dividingBy: rowCount)
      rows += cache.order(epoch: epoch) { order(epoch: epoch) }[offset...].prefix(globalBatch - rows.count)
    }
    return rows
  }

  /// The order of all rows in an epoch, from 0: groups are shuffled, the rows of one keep the file's order.
  func order(epoch: Int) -> [Int] {
    var generator = SplitMix64(seed: seed, stream: UInt64(epoch))
    if var groups {
      generator.shuffle(&groups)
      return groups.flatMap(\.self)
    }
    var rows = Array(0..<rowCount)
    generator.shuffle(&rows)
    return rows
  }

  private func firstRow(of step: Int) -> Int {
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
