// The loss of tokens whose logits come some of the vocabulary at a time: nll = logsumexp(logits) - logits[target].
import Tensors

/// The loss of one supervised token.
package struct TokenLoss: Sendable, Equatable {
  /// Negative log-likelihood of the target.
  package let nll: Double
  /// Whether the target is the top-1 token; of equal logits the lowest id is.
  package let isTop1: Bool
}

/// Negative log-likelihood over the vocabulary, of R tokens at once, in one walk through the vocabulary.
///
/// With m the largest logit so far, the target's left out of the sums, a row's state is m and sum_v e^(l_v - m); sums
/// weighted by the same numbers shrink with them where a larger logit comes (as in FlashAttention's softmax). The
/// gradient's part at the target, p - 1 = -sum / (sum + e^(l_t - m)), has so no cancellation.
package struct CrossEntropy<Element: Scalar> {
  private let targets: [Int]
  private var largest: [Element]
  /// sum e^(l_v - largest) over the vocabulary so far, without the target.
  private var others: [Double]
  private var targetLogits: [Element]
  /// The first token that has the largest logit.
  private var best: [Int]

  /// - Parameter targets: `[R]`, in the vocabulary.
  package init(targets: [Int32]) {
    self.targets = targets.map(Int.init)
    largest = Array(repeating: -.infinity, count: targets.count)
    others = Array(repeating: 0, count: targets.count)
    targetLogits = Array(repeating: 0, count: targets.count)
    best = Array(repeating: -1, count: targets.count)
  }

  /// Takes the logits of the next tokens of the vocabulary, and leaves in their place the weights e^(l - m) of these
  /// tokens, 0 for the target.
  /// - Parameters:
  ///   - logits: `[R, tokens]`.
  ///   - sums: `[R, N]`, sums weighted so over the tokens before; scaled down to the new m.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package mutating func take(_ logits: Matrix<Element>, of tokens: Range<Int>, scaling sums: Matrix<Element>?) {
    precondition(logits.rows == targets.count && logits.columns == tokens.count)
    let count = tokens.count
    for i in targets.indices {
      let row = logits.row(i)
      let top = Element.maximum(count, row)
      if top > largest[i] {
        let scale = Element.exponential(largest[i] - top)
        others[i] *= Double(scale)
        if let sums {
          let sum = sums.row(i)
          for j in 0..<sums.columns { sum[j] *= scale }
        }
        largest[i] = top
        best[i] = tokens.lowerBound + ((0..<count).first { row[$0] == top } ?? 0)
      }
      let m = largest[i]
      let target = tokens.contains(targets[i]) ? targets[i] - tokens.lowerBound : nil
      if let target { targetLogits[i] = row[target] }
      for j in 0..<count { row[j] = Element.exponential(row[j] - m) }
      if let target { row[target] = 0 }
      others[i] += Double(Element.sum(count, row))
    }
  }

  /// The loss of each token, after the whole vocabulary.
  package var losses: [TokenLoss] {
    targets.indices.map { i in
      let (distance, sum) = self.sum(i)
      return TokenLoss(nll: Double.naturalLogarithm(sum) - distance, isTop1: best[i] == targets[i])
    }
  }

  /// dx = sum_v p_v w_v - w_target from sums of e^(l_v - m) w_v, in their place.
  /// - Parameters:
  ///   - sums: `[R, N]`, over the whole vocabulary without the target.
  ///   - rows: the targets' w `[R, N]`.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func gradient(inPlace sums: Matrix<Element>, targets rows: Matrix<Element>) {
    for i in targets.indices {
      let sum = self.sum(i).sum
      let (inverse, missing) = (Element(1 / sum), Element(others[i] / sum))
      let (dx, w) = (sums.row(i), rows.row(i))
      for j in 0..<sums.columns { dx[j] = dx[j] * inverse - w[j] * missing }
    }
  }

  /// l_target - m, and sum e^(l_v - m) over the vocabulary.
  private func sum(_ i: Int) -> (distance: Double, sum: Double) {
    let distance = Double(targetLogits[i]) - Double(largest[i])
    return (distance, others[i] + Double.exponential(distance))
  }
}
