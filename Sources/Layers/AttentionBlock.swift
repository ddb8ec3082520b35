// The part of an attention that is computed at once: some queries, in the heads that share a key/value head.
import Tensors

/// Consecutive queries of a span in all heads of one key/value head, and the keys that at least one of them sees.
///
/// A row of the block is a query in one head. Heads of a query lie beside each other in memory, so the numbers of some
/// queries without gaps are such rows, and one GEMM multiplies the heads of a group by the keys that they share.
struct AttentionBlock {
  let queries: Range<Int>
  let kvHead: Int
  /// The query heads of the key/value head.
  let heads: Range<Int>
  /// The keys among all: those that the block's span shares with others, then its own.
  let keys: [Range<Int>]
  /// How many of the block's keys each query sees: the first ones.
  let visible: [Int]

  var rowCount: Int { queries.count * heads.count }
  var keyCount: Int { keys.reduce(0) { $0 + $1.count } }

  /// How many of the block's keys a row sees.
  @inline(__always)
  func visible(row: Int) -> Int { visible[row / heads.count] }

  /// Where a row's statistic is in a matrix of all queries, `[R, all heads]`.
  @inline(__always)
  func statistic<Element>(_ statistics: Matrix<Element>, row: Int) -> UnsafeMutablePointer<Element> {
    statistics.row(queries.lowerBound + row / heads.count) + heads.lowerBound + row % heads.count
  }

  /// The keys from `first` on, and which of the block's they are.
  func keys(from first: Int) -> [(keys: Range<Int>, columns: Range<Int>)] {
    var column = 0
    return keys.compactMap { keys in
      defer { column += keys.count }
      let lower = max(keys.lowerBound, first)
      guard lower < keys.upperBound else { return nil }
      return (lower..<keys.upperBound, column + lower - keys.lowerBound..<column + keys.count)
    }
  }

  /// The block's rows, for reading; in new memory where several heads are stacked.
  /// - Parameter all: of all queries and heads, `[R, all heads D]`.
  /// - Returns: `[rows, D]`
  func stacked<Element>(_ all: Matrix<Element>, headDimension D: Int) -> Matrix<Element> {
    let part = part(of: all, headDimension: D)
    return heads.count == 1 ? part : part.copy.reshaped(rows: rowCount, columns: D)
  }

  /// Writes the block's rows to their place among all.   rows [rows, D], without gaps; all [R, all heads D]
  func unstack<Element>(_ rows: Matrix<Element>, to all: Matrix<Element>) {
    let D = rows.columns
    part(of: all, headDimension: D).assign(rows.reshaped(rows: queries.count, columns: heads.count * D))
  }

  private func part<Element>(of all: Matrix<Element>, headDimension D: Int) -> Matrix<Element> {
    all.rows(queries).columns(heads.lowerBound * D..<heads.upperBound * D)
  }
}

extension Attention {
  /// Calls `body` with each block, and its keys and values `[keys, D]`.
  func forEachBlock(
    _ pattern: AttentionPattern, _ k: Matrix<Element>, _ v: Matrix<Element>, _ precision: Precision,
    _ body: (AttentionBlock, _ k: GEMMFactor<Element>, _ v: GEMMFactor<Element>) -> Void
  ) {
    let group = heads / kvHeads
    for span in pattern.spans {
      let shared = span.shared.reduce(0) { $0 + $1.count }
      let (k, v) = (GEMMFactor(span.keys(of: k), precision), GEMMFactor(span.keys(of: v), precision))
      let size = max(1, Self.blockRows(precision) / group)
      for start in stride(from: span.queries.lowerBound, to: span.queries.upperBound, by: size) {
        let queries = start..<min(start + size, span.queries.upperBound)
        let end = span.causal ? pattern.keyOfQuery[queries.upperBound - 1] + 1 : span.own.upperBound
        let own = span.own.lowerBound..<end
        let visible = queries.map {
          shared + (span.causal ? pattern.keyOfQuery[$0] + 1 - own.lowerBound : own.count)
        }
        for head in 0..<kvHeads {
          let block = AttentionBlock(
            queries: queries, kvHead: head, heads: head * group..<(head + 1) * group,
            keys: span.shared + [own], visible: visible)
          let (keys, columns) = (0..<block.keyCount, ofKVHead(head))
          body(block, k.rows(keys).columns(columns), v.rows(keys).columns(columns))
        }
      }
    }
  }

  /// The columns of a key/value head.
  func ofKVHead(_ index: Int) -> Range<Int> { index * headDimension..<(index + 1) * headDimension }

  /// Rows of a block: enough for an efficient GEMM, few enough that the block's scores stay in cache, in bf16
  /// three times as many.
  private static func blockRows(_ precision: Precision) -> Int { precision == .bfloat16 ? 192 : 64 }
}

extension AttentionPattern.Span {
  /// The span's keys or values, those that it shares first.   [T, kvHeads D] -> [keys, kvHeads D]
  fileprivate func keys<Element>(of all: Matrix<Element>) -> Matrix<Element> {
    guard let last = shared.last else { return all.rows(own) }
    if shared.count == 1, last.upperBound == own.lowerBound { return all.rows(last.lowerBound..<own.upperBound) }
    return .joining(keys.map { all.rows($0) })
  }
}
