// Which keys each query sees: windows of an image, or a causal prefix followed by question/answer branches.
import Tensors

/// The visibility of keys, as spans of queries that share their keys.
package struct AttentionPattern: Sendable {
  /// Consecutive queries: all see the whole of `shared`, and of `own` either all keys or those at or before their own.
  package struct Span: Sendable {
    /// Rows of the query matrix.
    package var queries: Range<Int>
    /// Keys that all of them see, ascending, without neighbours that touch.
    package var shared: [Range<Int>]
    /// Keys of their own sequence.
    package var own: Range<Int>
    /// Whether a query sees only the keys of `own` up to its own key.
    package var causal: Bool

    /// All keys of the span, in the order in which its blocks have them.
    var keys: [Range<Int>] { shared + [own] }

    /// How many keys it shares.
    package var sharedCount: Int { shared.total }
  }

  package var spans: [Span]
  /// The key index of each query.
  package var keyOfQuery: [Int]
  /// The keys that a query sees, or one that `selecting` left out: ascending, without neighbours that touch.
  package var keys: [Range<Int>]

  /// Every sequence attends to itself, in both directions (vision).
  package static func blocks(_ ranges: [Range<Int>]) -> AttentionPattern {
    AttentionPattern(
      spans: ranges.map { Span(queries: $0, shared: [], own: $0, causal: false) },
      keyOfQuery: Array(0..<(ranges.last?.upperBound ?? 0)), keys: ranges.joinedNeighbours)
  }

  /// Sequences that attend causally to themselves, and to the whole of what they share with others.
  /// - Parameter sequences: the queries of one sequence after the other, whose keys are the last ones of `own`.
  package static func causal(_ sequences: [(shared: [Range<Int>], own: Range<Int>, queries: Int)]) -> AttentionPattern {
    var pattern = AttentionPattern(spans: [], keyOfQuery: [], keys: sequences.flatMap { $0.shared + [$0.own] }.union)
    for sequence in sequences {
      let first = pattern.keyOfQuery.count
      pattern.spans.append(
        Span(
          queries: first..<first + sequence.queries, shared: sequence.shared.joinedNeighbours, own: sequence.own,
          causal: true))
      pattern.keyOfQuery += sequence.own.suffix(sequence.queries)
    }
    return pattern
  }

  /// The same pattern for some of the queries, ascending, renumbered from 0.
  package func selecting(_ queries: [Int]) -> AttentionPattern {
    var first = 0
    let selected = spans.compactMap { span -> Span? in
      let end = queries[first...].firstIndex { $0 >= span.queries.upperBound } ?? queries.count
      defer { first = end }
      guard end > first else { return nil }
      var result = span
      result.queries = first..<end
      return result
    }
    return AttentionPattern(spans: selected, keyOfQuery: queries.map { keyOfQuery[$0] }, keys: keys)
  }

  /// The same pattern among its `keys` alone.
  var numberingKeys: AttentionPattern {
    /// How many of the keys lie before one of them.
    func number(_ key: Int) -> Int { keys.reduce(0) { $0 + min(max(key - $1.lowerBound, 0), $1.count) } }
    func numbers(_ range: Range<Int>) -> Range<Int> {
      let first = number(range.lowerBound)
      return first..<first + range.count
    }
    return AttentionPattern(
      spans: spans.map { span in
        Span(
          queries: span.queries, shared: span.shared.map(numbers).joinedNeighbours, own: numbers(span.own),
          causal: span.causal)
      }, keyOfQuery: keyOfQuery.map(number), keys: [0..<keys.total])
  }
}
