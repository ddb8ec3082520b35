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

  /// What backward needs of forward.
  package struct Result: Sendable {
    /// `[R, heads D]`
    package let output: Matrix<Element>
    /// log sum exp of the scaled scores, `[R, heads]`.
    package let logSumExp: Matrix<Element>
  }

  /// o_i = sum_j p_ij v_j, p_i = softmax_j(q_i k_j / sqrt D).   q [R, heads D]; k, v [T, kvHeads D]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(
    q: Matrix<Element>, k: Matrix<Element>, v: Matrix<Element>, pattern: AttentionPattern
  ) -> Result {
    let result = Result(
      output: Matrix(uninitialized: q.rows, q.columns), logSumExp: Matrix(uninitialized: q.rows, heads))
    let precision = precision(pattern, keys: k.rows)
    forEachBlock(pattern, k, v, precision) { block, k, v in
      let s = scores(block)
      multiply(factor(q, block, precision), .asIs, k, .transposed, into: s, accumulate: false)
      var sums = [Element](repeating: 0, count: s.rows)
      let p = GEMMFactor(s, precision) { row in
        let (sum, logSumExp) = softmax(s.row(row), visible: block.visible(row: row), of: s.columns)
        sums[row] = sum
        block.statistic(result.logSumExp, row: row).pointee = logSumExp
      }
      let o = Matrix<Element>(uninitialized: s.rows, headDimension)
      multiply(p, .asIs, v, .asIs, into: o, accumulate: false)
      divide(o, by: sums)
      block.unstack(o, to: result.output)
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
    forEachBlock(pattern, k, v, precision) { block, k, v in
      let (q, dO) = (factor(q, block, precision), factor(dOutput, block, precision))
      /// gradient += x^T y, at the keys whose gradients are needed.   x [rows, keys], y [rows, D]
      func add(_ x: GEMMFactor<Element>, _ y: GEMMFactor<Element>, to gradient: Matrix<Element>) {
        for (keys, columns) in block.keys(from: firstKey) {
          let target = gradient.rows(keys.lowerBound - firstKey..<keys.upperBound - firstKey)
          multiply(
            x.columns(columns), .transposed, y, .asIs, into: target.columns(ofKVHead(block.kvHead)), accumulate: true)
        }
      }
      let s = scores(block)
      multiply(q, .asIs, k, .transposed, into: s, accumulate: false)
      let p = GEMMFactor(s, precision) { row in
        probabilities(
          s.row(row), visible: block.visible(row: row), of: s.columns,
          logSumExp: block.statistic(logSumExp, row: row).pointee)
      }
      add(p, dO, to: dv)
      guard let dq, let dk else { return }
      let dp = scores(block)
      multiply(dO, .asIs, v, .transposed, into: dp, accumulate: false)
      let ds = GEMMFactor(dp, precision) { row in scoreGradients(s.row(row), dp: dp.row(row), count: s.columns) }
      let dqOfBlock = Matrix<Element>(uninitialized: s.rows, headDimension)
      multiply(ds, .asIs, k, .asIs, into: dqOfBlock, accumulate: false)
      block.unstack(dqOfBlock, to: dq)
      add(ds, q, to: dk)
    }
    return Gradients(q: dq, k: dk, v: dv)
  }

  /// The precision of so many queries and keys. Short rows of scores are multiplied in less time than they are rounded.
  /// Keys that few queries see are not rounded either: that reads them once more, as each token of a generation would.
  private func precision(_ pattern: AttentionPattern, keys: Int) -> Precision {
    pattern.widest >= 256 && 4 * pattern.keyOfQuery.count >= keys ? precision : .float32
  }

  /// A block's rows as a factor.   all [R, heads D] -> [rows, D]
  private func factor(
    _ all: Matrix<Element>, _ block: AttentionBlock, _ precision: Precision
  ) -> GEMMFactor<Element> {
    GEMMFactor(block.stacked(all, headDimension: headDimension), precision)
  }

  private func divide(_ o: Matrix<Element>, by sums: [Element]) {
    for (i, sum) in sums.enumerated() {
      let (row, inverse) = (o.row(i), 1 / sum)
      for j in 0..<o.columns { row[j] *= inverse }
    }
  }
}
