// How many tokens, and pairs of a query and a key, a batch has: from lengths before it is packed, or counted as packed.
import QwenVL

/// Examples that are computed together after their common images.
package struct BatchShape: Equatable {
  /// Examples.
  package let examples: Int
  /// Tokens that pass the decoder.
  package let tokens: Int
  package let visual: Int
  package let answers: Int
  /// Tokens before the first image; all of them where there is none.
  package let first: Int
  /// Pairs of a query and a key it sees: all queries; those from the first image on; of these, with such a key.
  package let pairs, latePairs, keptPairs: Double
  /// Pairs of the answers' queries alone.
  package let answerPairs: Double
  package let images: [Int]

  package init(_ members: [ExampleShape]) {
    func triangle(_ n: Int) -> Double { Double(n) * Double(n + 1) / 2 }
    let repeats = members.count - 1
    let (shared, early) = (members.map(\.shared).min() ?? 0, members.map(\.first).min() ?? 0)
    examples = members.count
    tokens = members.reduce(0) { $0 + $1.tokens } - repeats * shared
    visual = members.map(\.visual).max() ?? 0
    answers = members.reduce(0) { $0 + $1.answers }
    first = early
    pairs = members.reduce(0) { $0 + triangle($1.tokens) } - Double(repeats) * triangle(shared)
    latePairs = pairs - triangle(early)
    keptPairs =
      members.reduce(0) { $0 + triangle($1.tokens - early) }
      - Double(repeats) * triangle(max(0, shared - early))
    // Answers lie at the end: they see nearly the whole example.
    answerPairs = members.reduce(0) { $0 + Double($1.answers) * Double($1.tokens) }
    // A branch of a conversation has the first images alone.
    images = members.max { $0.images.count < $1.images.count }?.images ?? []
  }

  /// Image groups of one pass of the decoder.
  package init(joining groups: [BatchShape]) {
    func sum<Number: AdditiveArithmetic>(_ part: KeyPath<BatchShape, Number>) -> Number {
      groups.reduce(.zero) { $0 + $1[keyPath: part] }
    }
    (examples, tokens, visual, answers, first) = (
      sum(\.examples), sum(\.tokens), sum(\.visual), sum(\.answers), sum(\.first)
    )
    (pairs, latePairs, keptPairs, answerPairs) = (sum(\.pairs), sum(\.latePairs), sum(\.keptPairs), sum(\.answerPairs))
    images = groups.flatMap(\.images)
  }
}

extension BatchShape {
  /// The shape of a batch as it passes the decoder with an adapter of visual tokens: the tokens after its prefix KV
  /// cache, each pair of a query and a key counted.
  /// - Parameter images: patches of each of its images.
  package init(_ batch: PackedBatch, images: [Int]) {
    self.init(
      batch.slots(), visual: batch.visual.map(\.tokens), outputPositions: batch.outputPositions,
      known: batch.prefixTokens, examples: batch.sampleCount, images: images)
  }

  /// The same of `rows` examples that are not made from samples.
  package init(_ input: DecoderInput<Float>, outputPositions: [Int], examples: Int, images: [Int]) {
    self.init(
      input.slots, visual: input.visual.map(\.tokens), outputPositions: outputPositions, known: 0, examples: examples,
      images: images)
  }

  /// - Parameter known: how many of the first tokens do not pass the decoder.
  private init(
    _ slots: [SequenceSlot], visual spans: [Range<Int>], outputPositions: [Int], known: Int, examples: Int,
    images: [Int]
  ) {
    // The keys that each token sees, in ranges.
    var seen: [[Range<Int>]] = []
    for slot in slots {
      let earlier = slot.own.upperBound - slot.newTokens
      for token in 0..<slot.newTokens { seen.append(slot.shared + [slot.own.lowerBound..<earlier + token + 1]) }
    }
    seen.removeFirst(known)
    func count(_ keys: [Range<Int>], from first: Int = 0) -> Int {
      keys.reduce(0) { $0 + max(0, $1.upperBound - max(first, $1.lowerBound)) }
    }
    func pairs(_ tokens: some Sequence<Int>) -> Double { tokens.reduce(0) { $0 + Double(count(seen[$1])) } }
    self.examples = examples
    tokens = seen.count
    visual = spans.reduce(0) { $0 + $1.count }
    answers = outputPositions.count
    let first = spans.first.map { $0.lowerBound - known } ?? seen.count
    self.first = first
    self.pairs = pairs(seen.indices)
    latePairs = pairs(first..<seen.count)
    let firstKey = first < seen.count ? seen[first].last.map { $0.upperBound - 1 } ?? 0 : 0
    keptPairs = seen[first...].reduce(0) { $0 + Double(count($1, from: firstKey)) }
    answerPairs = pairs(outputPositions.map { $0 - known })
    self.images = images
  }
}
