// Which keys each query sees: windows of a picture, or a causal prefix with question/answer branches behind it.

/// The visibility of keys, as spans of queries that share their keys.
public struct AttentionPattern: Sendable {
  /// A run of queries: all see the whole of `shared`, and of `own` either everything or what lies at or before them.
  public struct Span: Sendable {
    /// Rows of the query matrix.
    public var queries: Range<Int>
    /// Keys that all of them see.
    public var shared: Range<Int>
    /// Keys of their own sequence.
    public var own: Range<Int>
    /// Whether a query sees only the keys of `own` up to its own key.
    public var causal: Bool
  }

  public var spans: [Span]
  /// The key index of each query.
  public var keyOfQuery: [Int]

  /// Every sequence attends to itself, in both directions (vision).
  public static func blocks(_ ranges: [Range<Int>]) -> AttentionPattern {
    AttentionPattern(
      spans: ranges.map { Span(queries: $0, shared: 0..<0, own: $0, causal: false) },
      keyOfQuery: Array(0..<(ranges.last?.upperBound ?? 0)))
  }

  /// A prefix that attends to itself causally, and branches that attend to the whole prefix and causally to themselves.
  /// - Parameters:
  ///   - prefix: number of rows of the prefix.
  ///   - branches: rows of each branch behind the prefix, ascending, without gaps.
  ///   - rows: which rows ask, ascending; key indices at the same time.
  public static func causal(prefix: Int, branches: [Range<Int>] = [], rows: [Int]) -> AttentionPattern {
    var spans: [Span] = []
    var first = 0
    func take(_ own: Range<Int>, shared: Range<Int>) {
      var end = first
      while end < rows.count, rows[end] < own.upperBound { end += 1 }
      if end > first { spans.append(Span(queries: first..<end, shared: shared, own: own, causal: true)) }
      first = end
    }
    take(0..<prefix, shared: 0..<0)
    for branch in branches { take(branch, shared: 0..<prefix) }
    precondition(first == rows.count, "a row outside the prefix and the branches")
    return AttentionPattern(spans: spans, keyOfQuery: rows)
  }

  /// The same pattern for the queries from `first` on, renumbered from 0.
  public func dropping(first: Int) -> AttentionPattern {
    AttentionPattern(
      spans: spans.compactMap { span in
        let kept = max(span.queries.lowerBound, first)..<max(span.queries.upperBound, first)
        guard !kept.isEmpty else { return nil }
        var result = span
        result.queries = kept.lowerBound - first..<kept.upperBound - first
        return result
      },
      keyOfQuery: Array(keyOfQuery.dropFirst(first)))
  }
}
