// How many tokens, and pairs of a query and a key, a batch has: from lengths before it is packed, or counted as packed.
import QwenVL

/// Rows that are computed together behind their common pictures.
package struct BatchShape: Equatable {
  package let rows: Int
  /// Tokens that pass the decoder.
  package let tokens: Int
  package let visual: Int
  package let answers: Int
  /// Tokens before the first picture; all of them where there is none.
  package let first: Int
  /// Pairs of a query and a key it sees: all queries; those from the first picture on; of these, with such a key.
  package let pairs, latePairs, keptPairs: Double
  /// Pairs of the answers' queries alone.
  package let answerPairs: Double
  package let pictures: [Int]

  package init(_ members: [ExampleShape]) {
    func triangle(_ n: Int) -> Double { Double(n) * Double(n + 1) / 2 }
    let repeats = members.count - 1
    let (shared, early) = (members.map(\.shared).min() ?? 0, members.map(\.first).min() ?? 0)
    rows = members.count
    tokens = members.reduce(0) { $0 + $1.tokens } - repeats * shared
    visual = members.first?.visual ?? 0
    answers = members.reduce(0) { $0 + $1.answers }
    first = early
    pairs = members.reduce(0) { $0 + triangle($1.tokens) } - Double(repeats) * triangle(shared)
    latePairs = pairs - triangle(early)
    keptPairs =
      members.reduce(0) { $0 + triangle($1.tokens - early) }
      - Double(repeats) * triangle(max(0, shared - early))
    // Answers lie at the end: they see nearly the whole row.
    answerPairs = members.reduce(0) { $0 + Double($1.answers) * Double($1.tokens) }
    pictures = members.first?.pictures ?? []
  }

  /// Units of one pass of the decoder.
  package init(joining units: [BatchShape]) {
    func sum<Number: AdditiveArithmetic>(_ part: KeyPath<BatchShape, Number>) -> Number {
      units.reduce(.zero) { $0 + $1[keyPath: part] }
    }
    (rows, tokens, visual, answers, first) = (sum(\.rows), sum(\.tokens), sum(\.visual), sum(\.answers), sum(\.first))
    (pairs, latePairs, keptPairs, answerPairs) = (sum(\.pairs), sum(\.latePairs), sum(\.keptPairs), sum(\.answerPairs))
    pictures = units.flatMap(\.pictures)
  }
}

extension BatchShape {
  /// The shape of a batch as it passes the decoder with an adapter of visual tokens: the tokens after its prefix KV cache,
  /// each pair of a query and a key counted.
  /// - Parameter pictures: patches of each of its pictures.
  package init(_ batch: PackedBatch, pictures: [Int]) {
    self.init(
      batch.slots(), visual: batch.visual.map(\.tokens), outputPositions: batch.outputPositions,
      known: batch.prefixTokens, rows: batch.sampleCount, pictures: pictures)
  }

  /// The same of `rows` examples that are not made from samples.
  package init(_ input: DecoderInput<Float>, outputPositions: [Int], rows: Int, pictures: [Int]) {
    self.init(
      input.slots, visual: input.visual.map(\.tokens), outputPositions: outputPositions, known: 0, rows: rows,
      pictures: pictures)
  }

  /// - Parameter known: how many of the first tokens do not pass the decoder.
  private init(
    _ slots: [SequenceSlot], visual spans: [Range<Int>], outputPositions: [Int], known: Int, rows: Int,
    pictures: [Int]
  ) {
    var seen: [(shared: Range<Int>, own: Range<Int>)] = []
    for slot in slots {
      let earlier = slot.own.upperBound - slot.newTokens
      for token in 0..<slot.newTokens { seen.append((slot.shared, slot.own.lowerBound..<earlier + token + 1)) }
    }
    seen.removeFirst(known)
    func pairs(_ rows: some Sequence<Int>) -> Double {
      rows.reduce(0) { $0 + Double(seen[$1].shared.count + seen[$1].own.count) }
    }
    self.rows = rows
    tokens = seen.count
    visual = spans.reduce(0) { $0 + $1.count }
    answers = outputPositions.count
    let first = spans.first.map { $0.lowerBound - known } ?? seen.count
    self.first = first
    self.pairs = pairs(seen.indices)
    latePairs = pairs(first..<seen.count)
    let firstKey = first < seen.count ? seen[first].own.upperBound - 1 : 0
    keptPairs = seen[first...].reduce(0) { sum, keys in
      sum + Double(keys.shared.clamped(to: firstKey..<max(firstKey, keys.shared.upperBound)).count)
        + Double(keys.own.clamped(to: firstKey..<max(firstKey, keys.own.upperBound)).count)
    }
    answerPairs = pairs(outputPositions.map { $0 - known })
    self.pictures = pictures
  }
}
