// Grouped-query attention in blocks of queries: softmax(q k^T / sqrt D) v, never a matrix of all queries by all keys.
import Tensors

/// Attention of `heads` query heads over `kvHeads` key/value heads.
package struct Attention<Element: Scalar>: Sendable {
  package let heads, kvHeads, headDimension: Int
  /// Of the multiplications; softmax and its gradient are in Element.
  private let precision: Precision
  /// Queries of a block: enough for an efficient GEMM, few enough that the block's scores stay in cache, in two bytes
  /// twice as many.
  private static func blockRows(_ precision: Precision) -> Int { precision == .bfloat16 ? 128 : 64 }

  package init(heads: Int, kvHeads: Int, headDimension: Int, precision: Precision = .float32) {
    precondition(heads % kvHeads == 0)
    self.heads = heads
    self.kvHeads = kvHeads
    self.headDimension = headDimension
    self.precision = precision
  }

  /// What backward needs of forward.
  package struct Result: Sendable {
    /// `[R, heads D]`
    package let output: Matrix<Element>
    /// log sum exp of the scaled scores, `[heads, R]`.
    package let logSumExp: Matrix<Element>
  }

  /// o_i = sum_j p_ij v_j, p_i = softmax_j(q_i k_j / sqrt D).   q [R, heads D]; k, v [T, kvHeads D]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(
    q: Matrix<Element>, k: Matrix<Element>, v: Matrix<Element>, pattern: AttentionPattern
  ) -> Result {
    let result = Result(
      output: Matrix(uninitialized: q.rows, q.columns), logSumExp: Matrix(uninitialized: heads, q.rows))
    let precision = precision(pattern, keys: k.rows)
    let (q, k, v) = (GEMMFactor(q.scaled(by: scale), precision), GEMMFactor(k, precision), GEMMFactor(v, precision))
    forEachBlock(pattern, rows: Self.blockRows(precision)) { block, scores in
      for head in 0..<heads {
        let s = scores.columns(0..<block.keyCount)
        computeScores(block, q.columns(ofHead(head)), k.columns(ofKVHead(head)), into: s)
        let sums = softmax(block, s, logSumExp: result.logSumExp.row(head))
        let (p, v) = (GEMMFactor(s, precision), v.columns(ofKVHead(head)))
        let o = result.output.columns(ofHead(head)).rows(block.queries)
        for (index, (keys, columns)) in block.keyRanges.enumerated() {
          multiply(p.columns(columns), .asIs, v.rows(keys), .asIs, into: o, accumulate: index > 0)
        }
        divide(o, by: sums)
      }
    }
    return result
  }

  /// Gradients of q, k and v; those of keys and values only from `firstKey` on, since no other is needed.
  package struct Gradients: Sendable {
    /// `[R, heads D]`, nil for `.valuesOnly`.
    package let q: Matrix<Element>?
    /// `[T - firstKey, kvHeads D]`, nil for `.valuesOnly`.
    package let k: Matrix<Element>?
    /// `[T - firstKey, kvHeads D]`
    package let v: Matrix<Element>
  }

  /// Which gradients a layer needs: the lowest adapted layer ends at its values.
  package enum Needed: Sendable { case valuesOnly, all }

  /// dv_j = sum_i p_ij do_i; dp_ij = do_i v_j; ds = p (dp - p_i dp_i) / sqrt D; dq = ds k; dk = ds^T q.
  /// - Parameters: all of q, `dOutput` for the pattern's queries; k and v whole.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(
    _ dOutput: Matrix<Element>, q: Matrix<Element>, k: Matrix<Element>, v: Matrix<Element>,
    logSumExp: Matrix<Element>, pattern: AttentionPattern, firstKey: Int, needed: Needed
  ) -> Gradients {
    let count = k.rows - firstKey
    let dv = Matrix<Element>(zeros: count, v.columns)
    let dq: Matrix<Element>? = needed == .all ? Matrix(uninitialized: q.rows, q.columns) : nil
    let dk: Matrix<Element>? = needed == .all ? Matrix(zeros: count, k.columns) : nil
    let precision = precision(pattern, keys: k.rows)
    // Scaled queries give scaled scores, and with unscaled gradients of scores those of the keys.
    let (qs, ks, vs) = (GEMMFactor(q.scaled(by: scale), precision), GEMMFactor(k, precision), GEMMFactor(v, precision))
    let dOs = GEMMFactor(dOutput, precision)
    forEachBlock(pattern, rows: Self.blockRows(precision)) { block, scores in
      let gradientScores = Matrix<Element>(uninitialized: block.queries.count, block.keyCount)
      for head in 0..<heads {
        let (own, ofKV) = (ofHead(head), ofKVHead(head))
        let s = scores.columns(0..<block.keyCount)
        computeScores(block, qs.columns(own), ks.columns(ofKV), into: s)
        probabilities(block, s, logSumExp: logSumExp.row(head))
        let p = GEMMFactor(s, precision)
        let dO = dOs.columns(own).rows(block.queries)
        for (keys, columns) in block.keyRanges(from: firstKey) {
          let rows = keys.lowerBound - firstKey..<keys.upperBound - firstKey
          multiply(p.columns(columns), .transposed, dO, .asIs, into: dv.columns(ofKV).rows(rows), accumulate: true)
        }
        guard let dq, let dk else { continue }
        for (keys, columns) in block.keyRanges {
          multiply(
            dO, .asIs, vs.columns(ofKV).rows(keys), .transposed, into: gradientScores.columns(columns),
            accumulate: false)
        }
        scoreGradients(s, dp: gradientScores)
        let ds = GEMMFactor(gradientScores, precision)
        for (index, (keys, columns)) in block.keyRanges.enumerated() {
          multiply(
            ds.columns(columns), .asIs, ks.columns(ofKV).rows(keys), .asIs,
            into: dq.columns(own).rows(block.queries), accumulate: index > 0)
        }
        for (keys, columns) in block.keyRanges(from: firstKey) {
          let rows = keys.lowerBound - firstKey..<keys.upperBound - firstKey
          multiply(
            ds.columns(columns), .transposed, qs.columns(own).rows(block.queries), .asIs,
            into: dk.columns(ofKV).rows(rows), accumulate: true)
        }
      }
    }
    return Gradients(q: dq?.scaled(by: scale), k: dk, v: dv)
  }

  /// The precision of so many queries and keys. Short rows of scores are multiplied in less time than they are rounded.
  /// Keys that few queries see are not rounded either: that reads them once more, as each token of a generation would.
  private func precision(_ pattern: AttentionPattern, keys: Int) -> Precision {
    pattern.widest >= 256 && 4 * pattern.keyOfQuery.count >= keys ? precision : .float32
  }

  // MARK: - Blocks

  /// Some queries of one span and the keys that at least one of them sees.
  private struct Block {
    let queries: Range<Int>
    /// Key rows and the columns of the block's scores that hold them.
    let keyRanges: [(keys: Range<Int>, columns: Range<Int>)]
    /// How many columns each query sees; they are always the first ones.
    let visible: [Int]
    var keyCount: Int { keyRanges.last?.columns.upperBound ?? 0 }

    func keyRanges(from first: Int) -> [(keys: Range<Int>, columns: Range<Int>)] {
      keyRanges.compactMap { keys, columns in
        let lower = max(keys.lowerBound, first)
        return lower < keys.upperBound
          ? (lower..<keys.upperBound, columns.lowerBound + lower - keys.lowerBound..<columns.upperBound) : nil
      }
    }
  }

  private func forEachBlock(_ pattern: AttentionPattern, rows: Int, _ body: (Block, Matrix<Element>) -> Void) {
    let widest = pattern.widest
    let scores = Matrix<Element>(uninitialized: rows, widest)
    for span in pattern.spans {
      for start in stride(from: span.queries.lowerBound, to: span.queries.upperBound, by: rows) {
        let queries = start..<min(start + rows, span.queries.upperBound)
        let lastKey = span.causal ? pattern.keyOfQuery[queries.upperBound - 1] + 1 : span.own.upperBound
        let own = span.own.lowerBound..<lastKey
        let shared = span.shared.count
        var ranges: [(keys: Range<Int>, columns: Range<Int>)] = []
        if shared > 0 { ranges.append((span.shared, 0..<shared)) }
        ranges.append((own, shared..<shared + own.count))
        let visible = queries.map {
          span.causal ? shared + pattern.keyOfQuery[$0] + 1 - own.lowerBound : shared + own.count
        }
        body(Block(queries: queries, keyRanges: ranges, visible: visible), scores.rows(0..<queries.count))
      }
    }
  }

  /// The columns of a query head.
  private func ofHead(_ index: Int) -> Range<Int> { index * headDimension..<(index + 1) * headDimension }

  /// The columns of the key/value head that a query head reads.
  private func ofKVHead(_ index: Int) -> Range<Int> { ofHead(index / (heads / kvHeads)) }

  // MARK: - Kernels on one block and head

  /// q k of scaled queries.
  private func computeScores(
    _ block: Block, _ q: GEMMFactor<Element>, _ k: GEMMFactor<Element>, into s: Matrix<Element>
  ) {
    for (keys, columns) in block.keyRanges {
      multiply(q.rows(block.queries), .asIs, k.rows(keys), .transposed, into: s.columns(columns), accumulate: false)
    }
  }

  private var scale: Element { 1 / Element(headDimension).squareRoot() }

  /// Scores to probabilities before their normalization, in place; those of keys that a query does not see
  /// become 0.
  /// - Returns: what each row is to be divided by.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func softmax(_ block: Block, _ s: Matrix<Element>, logSumExp: UnsafeMutablePointer<Element>) -> [Element] {
    return block.visible.enumerated().map { i, n in
      let row = s.row(i)
      let largest = Element.maximum(n, row)
      for j in 0..<n { row[j] = Element.exponential(row[j] - largest) }
      for j in n..<s.columns { row[j] = 0 }
      let sum = Element.sum(n, row)
      logSumExp[block.queries.lowerBound + i] = largest + Element.naturalLogarithm(sum)
      return sum
    }
  }

  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func divide(_ o: Matrix<Element>, by sums: [Element]) {
    for (i, sum) in sums.enumerated() {
      let (row, inverse) = (o.row(i), 1 / sum)
      for j in 0..<o.columns { row[j] *= inverse }
    }
  }

  /// Scores to probabilities in place, from the statistics that forward saved.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func probabilities(_ block: Block, _ s: Matrix<Element>, logSumExp: UnsafeMutablePointer<Element>) {
    for (i, n) in block.visible.enumerated() {
      let row = s.row(i)
      let statistic = logSumExp[block.queries.lowerBound + i]
      for j in 0..<n { row[j] = Element.exponential(row[j] - statistic) }
      for j in n..<s.columns { row[j] = 0 }
    }
  }

  /// ds = p (dp - p dp), in place of dp. p dp is do o as well, but in bf16 only what dp was rounded with gives
  /// rows that sum to 0.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func scoreGradients(_ p: Matrix<Element>, dp: Matrix<Element>) {
    for i in 0..<dp.rows {
      let (pi, di) = (p.row(i), dp.row(i))
      let mean = Element.dot(dp.columns, pi, di)
      for j in 0..<dp.columns { di[j] = pi[j] * (di[j] - mean) }
    }
  }
}
