// Grouped-query attention in blocks of queries: softmax(q k^T / sqrt D) v, never a matrix of all queries by all keys.
import Tensors

/// Attention of `heads` query heads over `kvHeads` key/value heads.
package struct Attention<Element: Scalar>: Sendable {
  package let heads, kvHeads, headDimension: Int
  /// Of products of queries and keys.
  let scale: Element
  /// Of the multiplications; softmax and its gradient are in Element.
  private let precision: Precision

  package init(heads: Int, kvHeads: Int, headDimension: Int, precision: Precision = .float32) {
    precondition(heads % kvHeads == 0)
    self.heads = heads
    self.kvHeads = kvHeads
    self.headDimension = headDimension
    scale = 1 / Element(headDimension).squareRoot()
    self.precision = precision
  }

  /// Queries, keys and values as they are multiplied: in bf16 rounded once, for forward and backward.
  package struct Inputs: Sendable {
    /// Which of the keys each query sees.
    let pattern: AttentionPattern
    /// Whether keys that no query sees were left out.
    let omitsKeys: Bool
    /// `[R, heads D]`
    package let q: KeptMatrix<Element>
    /// `[T, kvHeads D]`
    package let k, v: KeptMatrix<Element>

    var precision: Precision { q.isRounded ? .bfloat16 : .float32 }
    package var byteCount: Int { q.byteCount + k.byteCount + v.byteCount }

    /// Those of some queries and keys, in their order, and the pattern among them.
    package func gathering(queries: [Int], keys: [Int], pattern: AttentionPattern) -> Inputs {
      Inputs(
        pattern: pattern, omitsKeys: omitsKeys, q: q.gathering(queries), k: k.gathering(keys), v: v.gathering(keys))
    }
  }

  /// What `forward` and `backward` take; the matrices may not change while it is in use. Where bf16 rounds, keys that
  /// the pattern lacks are left out; then no backward follows.
  /// q [R, heads D]; k, v [T, kvHeads D]
  package func inputs(
    q: Matrix<Element>, k: Matrix<Element>, v: Matrix<Element>, pattern: AttentionPattern
  ) -> Inputs {
    let precision = Self.rounds(queries: q.rows, keys: pattern.keys.total) ? precision : .float32
    let omitsKeys = precision == .bfloat16 && pattern.keys != [0..<k.rows]
    func kept(_ x: Matrix<Element>) -> KeptMatrix<Element> {
      KeptMatrix(omitsKeys ? x.gathering(Array(pattern.keys.joined())) : x, precision)
    }
    return Inputs(
      pattern: omitsKeys ? pattern.numberingKeys : pattern, omitsKeys: omitsKeys, q: KeptMatrix(q, precision),
      k: kept(k), v: kept(v))
  }

  /// Whether bf16 rounds the inputs of so many queries, which see so many keys. Keys that few queries see are not
  /// rounded: that reads them once more, as each token of a generation would.
  package static func rounds(queries: Int, keys: Int) -> Bool { 4 * queries >= keys }

  /// What backward needs of forward.
  package struct Result: Sendable {
    /// `[R, heads D]`
    package let output: Matrix<Element>
    /// log sum exp of the scaled scores, `[R, heads]`.
    package let logSumExp: Matrix<Element>
  }

  /// o_i = sum_j p_ij v_j, p_i = softmax_j(q_i k_j / sqrt D).
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(_ inputs: Inputs) -> Result {
    let queries = inputs.q.rows
    let result = Result(
      output: Matrix(uninitialized: queries, inputs.q.columns), logSumExp: Matrix(uninitialized: queries, heads))
    let precision = inputs.precision
    let spans = spans(inputs.pattern, precision)
    let scores = Scores<Element>(spans)
    for head in keyValueHeads {
      let q = head.queries(inputs.q, 0..<queries)
      // Of each row, like `q`.
      let (sums, logSumExp) = (statistics(queries), statistics(queries))
      let output = result.output.columns(head.queryColumns)
      head.forEachBlock(spans, head.keys(inputs.k), head.keys(inputs.v)) { block, k, v in
        let s = scores.matrix(block)
        multiply(q.rows(block.rows), .asIs, k, .transposed, into: s, accumulate: false)
        let (first, visible) = (block.rows.lowerBound, block.visible)
        let p = GEMMFactor(s, precision) { row in
          (sums.base[first + row], logSumExp.base[first + row]) = softmax(
            s.row(row), visible: visible[row], of: s.columns)
        }
        let o = Matrix<Element>(uninitialized: s.rows, headDimension)
        multiply(p, .asIs, v, .asIs, into: o, accumulate: false)
        divide(o, by: sums, into: output, from: first)
      }
      result.logSumExp.columns(head.heads).assign(logSumExp)
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
  /// - Parameters:
  ///   - dOutput: `[R, heads D]`.
  ///   - queries: those of the inputs' queries that `dOutput` and the statistics have.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(
    _ dOutput: Matrix<Element>, _ inputs: Inputs, queries: Range<Int>, logSumExp: Matrix<Element>, firstKey: Int,
    needed: Needed
  ) -> Gradients {
    precondition(!inputs.omitsKeys, "gradients are of all keys")
    let count = inputs.k.rows - firstKey
    let dv = Matrix<Element>(zeros: count, inputs.v.columns)
    let dq: Matrix<Element>? = needed == .all ? Matrix(uninitialized: queries.count, inputs.q.columns) : nil
    let dk: Matrix<Element>? = needed == .all ? Matrix(zeros: count, inputs.k.columns) : nil
    let precision = inputs.precision
    let spans = spans(inputs.pattern.selecting(Array(queries)), precision)
    let (scores, scoreGradients) = (Scores<Element>(spans), Scores<Element>(spans))
    for head in keyValueHeads {
      let (q, dO) = (head.queries(inputs.q, queries), head.gradients(dOutput, precision))
      let logSumExp = logSumExp.columns(head.heads).copy
      head.forEachBlock(spans, head.keys(inputs.k), head.keys(inputs.v)) { block, k, v in
        let (q, dO) = (q.rows(block.rows), dO.rows(block.rows))
        /// gradient += x^T y, at the keys whose gradients are needed.   x [rows, keys], y [rows, D]
        func add(_ x: GEMMFactor<Element>, _ y: GEMMFactor<Element>, to gradient: Matrix<Element>) {
          for (keys, columns) in block.keys(from: firstKey) {
            let target = gradient.rows(keys.lowerBound - firstKey..<keys.upperBound - firstKey)
            multiply(
              x.columns(columns), .transposed, y, .asIs, into: target.columns(head.columns), accumulate: true)
          }
        }
        let s = scores.matrix(block)
        multiply(q, .asIs, k, .transposed, into: s, accumulate: false)
        let (first, visible) = (block.rows.lowerBound, block.visible)
        let p = GEMMFactor(s, precision) { row in
          probabilities(s.row(row), visible: visible[row], of: s.columns, logSumExp: logSumExp.base[first + row])
        }
        add(p, dO, to: dv)
        guard let dq, let dk else { return }
        let dp = scoreGradients.matrix(block)
        multiply(dO, .asIs, v, .transposed, into: dp, accumulate: false)
        let ds = GEMMFactor(dp, precision) { row in differentiate(s.row(row), dp: dp.row(row), count: s.columns) }
        let dqOfBlock = Matrix<Element>(uninitialized: s.rows, headDimension)
        multiply(ds, .asIs, k, .asIs, into: dqOfBlock, accumulate: false)
        unstack(dqOfBlock, into: dq.columns(head.queryColumns), from: first)
        add(ds, q, to: dk)
      }
    }
    return Gradients(q: dq, k: dk, v: dv)
  }

  // MARK: - Parts

  /// Query heads of a key/value head.
  var group: Int { heads / kvHeads }

  private func spans(_ pattern: AttentionPattern, _ precision: Precision) -> [AttentionSpan] {
    pattern.spans.map { AttentionSpan($0, keyOfQuery: pattern.keyOfQuery, group: group, precision: precision) }
  }

  private var keyValueHeads: [AttentionHead<Element>] { (0..<kvHeads).map { AttentionHead($0, of: self) } }

  /// Place for one number of each query in each head of a group, as rows of blocks are counted.
  private func statistics(_ queries: Int) -> Matrix<Element> { Matrix(uninitialized: queries, group) }

  /// Writes a block's rows to their place among those of all queries, each divided by its sum.
  /// - Parameters:
  ///   - rows: `[rows, D]`.
  ///   - sums: of all rows, `[R, group]`.
  ///   - all: of the heads of a group, `[R, group D]`.
  ///   - first: the first row among `[R group, D]`.
  private func divide(
    _ rows: Matrix<Element>, by sums: Matrix<Element>, into all: Matrix<Element>, from first: Int
  ) {
    let (D, group) = (rows.columns, group)
    for query in 0..<rows.rows / group {
      let target = all.row(first / group + query)
      for head in 0..<group {
        let row = query * group + head
        let (source, part, inverse) = (rows.row(row), target + head * D, 1 / sums.base[first + row])
        for j in 0..<D { part[j] = source[j] * inverse }
      }
    }
  }

  /// Writes a block's rows to their place among those of all queries; parameters as above.
  private func unstack(_ rows: Matrix<Element>, into all: Matrix<Element>, from first: Int) {
    let queries = rows.reshaped(rows: rows.rows / group, columns: all.columns)
    all.rows(first / group..<first / group + queries.rows).assign(queries)
  }
}
