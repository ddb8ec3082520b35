// The loss of one token's logits: nll = logsumexp(logits) - logits[target].
import Tensors

/// The loss of one supervised token.
package struct TokenLoss: Sendable, Equatable {
  /// Negative log-likelihood of the target.
  package let nll: Double
  /// Whether the target is the top-1 token; of equal logits the lowest id is.
  package let isTop1: Bool
}

/// Negative log-likelihood over the vocabulary.
package enum CrossEntropy {
  /// The loss of each row.   logits [R, V], targets [R]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func forward<Element: Scalar>(
    _ logits: Matrix<Element>, targets: [Int32]
  ) -> [TokenLoss] {
    precondition(targets.count == logits.rows)
    let scratch = Matrix<Element>(uninitialized: 1, logits.columns)
    return (0..<logits.rows).map { i in
      let target = Int(targets[i])
      precondition(target >= 0 && target < logits.columns)
      let row = logits.row(i)
      let (largest, sum) = exponentials(row, into: scratch.base, logits.columns)
      return TokenLoss(
        nll: Double(largest) + Double(Element.naturalLogarithm(sum)) - Double(row[target]),
        isTop1: row[target] == largest && !(0..<target).contains { row[$0] == largest })
    }
  }

  /// dlogits = softmax(logits) - onehot(target), in place of the logits.   logits [R, V]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func backward<Element: Scalar>(inPlace logits: Matrix<Element>, targets: [Int32]) {
    precondition(targets.count == logits.rows)
    for i in 0..<logits.rows {
      let row = logits.row(i)
      let inverse = 1 / exponentials(row, into: row, logits.columns).sum
      for j in 0..<logits.columns { row[j] *= inverse }
      row[Int(targets[i])] -= 1
    }
  }

  @inline(__always)
  private static func exponentials<Element: Scalar>(
    _ x: UnsafePointer<Element>, into y: UnsafeMutablePointer<Element>, _ V: Int
  ) -> (largest: Element, sum: Element) {
    let largest = Element.maximum(V, x)
    for j in 0..<V { y[j] = Element.exponential(x[j] - largest) }
    return (largest, Element.sum(V, y))
  }
}
