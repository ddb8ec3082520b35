// Which examples an optimizer step takes: a function of seed and step, so that any step can be asked for alone.
import RandomNumbers
import Synchronization

/// Draws without replacement: each file is a sequence of permutations of all its examples, of which an epoch takes the
/// next `weight` times as many as the file has. Epochs have equally many examples and follow each other without a gap.
/// So every step has exactly `globalBatch` examples, and a step may span the end of an epoch.
package struct Sampler: Sendable {
  package let exampleCount: Int
  /// Examples that an epoch takes.
  package let examplesPerEpoch: Int
  /// Examples of an optimizer step, over all ranks.
  package let globalBatch: Int
  package let seed: UInt64
  /// A step, and how many examples the steps before it took: 0 and 0 where all steps are alike.
  private let origin: (step: Int, examples: Int)
  private let sources: [Source]
  private let cache = PermutationCache()

  /// A sampler of so many examples.
  /// - Parameters:
  ///   - groups: gives each example's group key, as from `imageKeys(of:)`: examples of a file with one key stay
  ///     adjacent.
  ///   - parts: the files; absent: one.
  ///   - origin: a step from which on steps are of this size, and how many examples those before took.
  package init(
    examples: Int, groups keys: [Int]? = nil, parts: [DatasetPart]? = nil, globalBatch: Int, seed: UInt64,
    origin: (step: Int, examples: Int) = (0, 0)
  ) {
    self.origin = origin
    precondition(examples > 0 && globalBatch > 0, "a step needs examples")
    precondition(keys == nil || keys?.count == examples, "one group key an example")
    (exampleCount, self.globalBatch, self.seed) = (examples, globalBatch, seed)
    let parts = parts ?? [DatasetPart(examples: 0..<examples)]
    precondition(parts.reduce(0) { $0 + $1.examples.count } == examples, "every example is in one part")
    sources = parts.enumerated().filter { !$0.element.examples.isEmpty }.map { index, part in
      Source(part, groups: keys, index: index)
    }
    examplesPerEpoch = parts.reduce(0) { $0 + $1.examplesPerEpoch }
  }

  /// Steps of one epoch, as a fraction.
  package var stepsPerEpoch: Double { Double(examplesPerEpoch) / Double(globalBatch) }

  /// The fewest steps that take at least `epochs` epochs.
  package func steps(epochs: Double) -> Int {
    precondition(epochs > 0 && epochs * stepsPerEpoch < 0x1p53, "epochs are positive and countable")
    let rest = epochs * stepsPerEpoch - Double(origin.examples) / Double(globalBatch)
    return max(1, origin.step + Int(rest.rounded(.up)))
  }

  /// The epoch, from 0, of the first example of a step, from 0.
  package func epoch(step: Int) -> Int { firstExample(of: step) / examplesPerEpoch }

  /// Examples that so many steps take.
  package func consumed(steps: Int) -> Int { firstExample(of: steps) }

  /// The examples of a step, from 0, in order: `globalBatch` indices into the data set.
  package func examples(step: Int) -> [Int] {
    let first = firstExample(of: step)
    var examples: [Int] = []
    examples.reserveCapacity(globalBatch)
    while examples.count < globalBatch {
      let (epoch, offset) = (first + examples.count).quotientAndRemainder(dividingBy: examplesPerEpoch)
      examples += cache.order(epoch: epoch) { order(epoch: epoch) }[offset...].prefix(globalBatch - examples.count)
    }
    return examples
  }

  /// The order of an epoch, from 0: groups are shuffled, the examples of one keep the file's order. Files are dealt
  /// evenly: what stands at a third of a file's part of the epoch stands at a third of the epoch.
  func order(epoch: Int) -> [Int] {
    let pieces = sources.map { $0.pieces(epoch: epoch, seed: seed) }
    guard sources.count > 1 else { return pieces[0].flatMap { sources[0][$0.members] } }
    // Files in their order where places are equal; a sort need not keep it.
    let all = pieces.enumerated().flatMap { source, pieces in pieces.map { (source: source, piece: $0) } }
    let dealt = all.enumerated().sorted { ($0.element.piece.place, $0.offset) < ($1.element.piece.place, $1.offset) }
    return dealt.flatMap { sources[$0.element.source][$0.element.piece.members] }
  }

  private func firstExample(of step: Int) -> Int {
    precondition(step >= origin.step, "steps before the origin are of another size")
    return origin.examples + (step - origin.step) * globalBatch
  }
}

/// The examples of one file, as the sampler draws them.
private struct Source: Sendable {
  /// The file's examples by groups, which stay adjacent, in order of first appearance; one example each where they are
  /// not grouped.
  private let members: [Int]
  /// Where each group begins in them, and where the last one ends.
  private let bounds: [Int]
  private let perEpoch: Int
  /// The random stream of the first permutation: each file has its own.
  private let firstStream: UInt64

  init(_ part: DatasetPart, groups keys: [Int]?, index: Int) {
    (perEpoch, firstStream) = (part.examplesPerEpoch, UInt64(index) << 48)
    guard let keys else {
      (members, bounds) = (Array(part.examples), Array(0...part.examples.count))
      return
    }
    var numbers: [Int: Int] = [:]
    var bounds = [0]
    let groups = part.examples.map { example -> Int in
      let group = numbers[keys[example]] ?? numbers.count
      if group == numbers.count {
        numbers[keys[example]] = group
        bounds.append(0)
      }
      bounds[group + 1] += 1
      return group
    }
    for group in 1..<bounds.count { bounds[group] += bounds[group - 1] }
    var next = bounds
    var members = [Int](repeating: 0, count: groups.count)
    for (example, group) in zip(part.examples, groups) {
      members[next[group]] = example
      next[group] += 1
    }
    (self.members, self.bounds) = (members, bounds)
  }

  /// The groups that an epoch takes, cut where it begins or ends in their middle; the place of each is that of its
  /// middle in the epoch, from 0 to 1.
  func pieces(epoch: Int, seed: UInt64) -> [(place: Double, members: Range<Int>)] {
    let (start, end) = (epoch * perEpoch, (epoch + 1) * perEpoch)
    var pieces: [(place: Double, members: Range<Int>)] = []
    var position = start / members.count * members.count
    while position < end {
      var generator = SplitMix64(seed: seed, stream: firstStream + UInt64(position / members.count))
      var permutation = Array(0..<bounds.count - 1)
      generator.shuffle(&permutation)
      for group in permutation {
        let (first, count) = (bounds[group], bounds[group + 1] - bounds[group])
        let (low, high) = (max(position, start), min(position + count, end))
        if low < high {
          let place = Double(low + high - 2 * start) / Double(2 * perEpoch)
          pieces.append((place, first + low - position..<first + high - position))
        }
        position += count
      }
    }
    return pieces
  }

  /// The examples of a piece.
  subscript(piece: Range<Int>) -> ArraySlice<Int> { members[piece] }
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
