// The parts of an attention that are computed at once: some queries, in the heads that share a key/value head.
import Tensors

/// Consecutive queries of a span, and the keys that at least one of them sees; the same for every key/value head.
///
/// A row of the block is a query in one head of a key/value head's group. Heads of a query lie beside each other in
/// memory, so the numbers of some queries without gaps are such rows, and one GEMM multiplies the heads of a group by
/// the keys that they share.
struct AttentionBlock {
  /// Among the rows of a key/value head, of all queries.
  let rows: Range<Int>
  /// The keys among all: those that the block's span shares with others, then its own.
  let keys: [Range<Int>]
  /// How many of the block's keys each row sees: the first ones.
  let visible: [Int]
  let keyCount: Int

  init(queries: Range<Int>, group: Int, keys: [Range<Int>], visible: (_ query: Int) -> Int) {
    rows = queries.lowerBound * group..<queries.upperBound * group
    self.keys = keys
    self.visible = queries.flatMap { repeatElement(visible($0), count: group) }
    keyCount = keys.total
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
}

/// A span of a pattern in blocks.
struct AttentionSpan {
  /// Of all its blocks; each has the first ones.
  let keys: [Range<Int>]
  let blocks: [AttentionBlock]

  init(_ span: AttentionPattern.Span, keyOfQuery: [Int], group: Int, precision: Precision) {
    keys = span.keys
    let size = max(1, Self.blockRows(precision) / group)
    blocks = stride(from: span.queries.lowerBound, to: span.queries.upperBound, by: size).map { start in
      let queries = start..<min(start + size, span.queries.upperBound)
      let end = span.causal ? keyOfQuery[queries.upperBound - 1] + 1 : span.own.upperBound
      let (own, shared) = (span.own.lowerBound..<end, span.sharedCount)
      return AttentionBlock(queries: queries, group: group, keys: span.shared + [own]) { query in
        shared + (span.causal ? keyOfQuery[query] + 1 - own.lowerBound : own.count)
      }
    }
  }

  /// Rows of a block: enough for an efficient GEMM, few enough that the block's scores stay in cache, in bf16
  /// four times as many.
  private static func blockRows(_ precision: Precision) -> Int { precision == .bfloat16 ? 256 : 64 }
}

/// What the blocks of one key/value head multiply.
struct AttentionHead<Element: Scalar> {
  /// Columns of the head's query heads among all query heads'.
  let queryColumns: Range<Int>
  /// Columns of the head among all key/value heads'.
  let columns: Range<Int>
  /// The query heads among all.
  let heads: Range<Int>
  private let dimension: Int

  init(_ index: Int, of attention: Attention<Element>) {
    let (D, group) = (attention.headDimension, attention.group)
    dimension = D
    heads = index * group..<(index + 1) * group
    (queryColumns, columns) = (heads.lowerBound * D..<heads.upperBound * D, index * D..<(index + 1) * D)
  }

  /// Some queries, a row for each query head.   all [R, all heads D] -> [queries heads, D]
  func queries(_ all: KeptMatrix<Element>, _ queries: Range<Int>) -> GEMMFactor<Element> {
    all.factor(rows: queries, columns: queryColumns, rowLength: dimension)
  }

  /// Gradients of queries alike.   all [R, all heads D] -> [R heads, D]
  func gradients(_ all: Matrix<Element>, _ precision: Precision) -> GEMMFactor<Element> {
    GEMMFactor(all.columns(queryColumns), precision, rowLength: dimension)
  }

  /// Keys or values.   all [T, kvHeads D] -> [T, D]
  func keys(_ all: KeptMatrix<Element>) -> GEMMFactor<Element> {
    all.factor(rows: 0..<all.rows, columns: columns, rowLength: dimension)
  }

  /// Calls `body` with each block, and its keys and values `[keys, D]`.
  func forEachBlock(
    _ spans: [AttentionSpan], _ k: GEMMFactor<Element>, _ v: GEMMFactor<Element>,
    _ body: (AttentionBlock, _ k: GEMMFactor<Element>, _ v: GEMMFactor<Element>) -> Void
  ) {
    for span in spans {
      let (k, v) = (k.rows(span.keys), v.rows(span.keys))
      for block in span.blocks { body(block, k.rows(0..<block.keyCount), v.rows(0..<block.keyCount)) }
    }
  }
}
