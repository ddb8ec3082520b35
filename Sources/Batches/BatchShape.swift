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
  /// The shape of a unit as it is packed, each pair of a query and a key counted.
  /// - Parameter pictures: patches of each of its pictures.
  package init(_ input: UnitInput, pictures: [Int]) {
    self.init(input.decoderInput, outputRows: input.outputRows, rows: input.rowCount, pictures: pictures)
  }

  /// The same of `rows` rows that are not made from samples.
  package init(_ input: DecoderInput<Float>, outputRows: [Int], rows: Int, pictures: [Int]) {
    var seen: [(shared: Range<Int>, own: Range<Int>)] = []
    for run in input.runs {
      let earlier = run.own.upperBound - run.rows
      for row in 0..<run.rows { seen.append((run.shared, run.own.lowerBound..<earlier + row + 1)) }
    }
    func pairs(_ rows: some Sequence<Int>) -> Double {
      rows.reduce(0) { $0 + Double(seen[$1].shared.count + seen[$1].own.count) }
    }
    self.rows = rows
    tokens = seen.count
    visual = input.visual.reduce(0) { $0 + $1.count }
    answers = outputRows.count
    let first = input.visual.first?.lowerBound ?? seen.count
    self.first = first
    self.pairs = pairs(seen.indices)
    latePairs = pairs(first..<seen.count)
    let firstKey = first < seen.count ? seen[first].own.upperBound - 1 : 0
    keptPairs = seen[first...].reduce(0) { sum, keys in
      sum + Double(keys.shared.clamped(to: firstKey..<max(firstKey, keys.shared.upperBound)).count)
        + Double(keys.own.clamped(to: firstKey..<max(firstKey, keys.own.upperBound)).count)
    }
    answerPairs = pairs(outputRows)
    self.pictures = pictures
  }
}
