// The loss of a row of logits: nll = logsumexp(logits) - logits[target].
import Tensors

/// Negative log-likelihood over the vocabulary.
package enum CrossEntropy {
  /// Each row's nll, and whether its target is the most likely one, ties to the lower id.   logits [R, V], targets [R]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func forward<Element: Scalar>(
    _ logits: Matrix<Element>, targets: [Int32]
  ) -> [(nll: Double, isLikeliest: Bool)] {
    precondition(targets.count == logits.rows)
    let scratch = Matrix<Element>(uninitialized: 1, logits.columns)
    return (0..<logits.rows).map { i in
      let target = Int(targets[i])
      precondition(target >= 0 && target < logits.columns)
      let row = logits.row(i)
      let (largest, sum) = exponentials(row, into: scratch.base, logits.columns)
      return (
        nll: Double(largest) + Double(Element.naturalLogarithm(sum)) - Double(row[target]),
        isLikeliest: row[target] == largest && !(0..<target).contains { row[$0] == largest }
      )
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
