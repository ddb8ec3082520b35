// From hidden states to the loss over the vocabulary, and to tokens.
import Layers
import Tensors

package typealias TokenLoss = Layers.TokenLoss

/// The language-model head, tied to the embedding or not.
package struct LanguageModelHead<Element: Scalar>: Sendable {
  let weight: StoredMatrix
  /// Tokens that are chosen at once, from logits over the whole vocabulary: 128 tokens of 152k are 78 MB.
  private static var chunkSize: Int { 128 }

  /// hidden [R, H] -> logits [R, V]
  package func logits(_ hidden: Matrix<Element>) -> Matrix<Element> { weight.timesTransposed(hidden) }

  /// The loss of each token.
  /// - Parameters: `hidden` `[R, H]`, `targets` `[R]`.
  package func loss(_ hidden: Matrix<Element>, targets: [Int32]) -> [TokenLoss] {
    walk(hidden, targets: targets, sums: nil).losses
  }

  /// The loss of each token, and the gradient of their sum.   -> dHidden [R, H]
  package func lossAndGradient(
    _ hidden: Matrix<Element>, targets: [Int32]
  ) -> (losses: [TokenLoss], dHidden: Matrix<Element>) {
    let dHidden = Matrix<Element>(zeros: hidden.rows, hidden.columns)
    let entropy = walk(hidden, targets: targets, sums: dHidden)
    entropy.gradient(inPlace: dHidden, targets: weight.gathering(targets))
    return (entropy.losses, dHidden)
  }

  /// One walk through the weights, for all tokens: a part's logits, and what they add to the gradient while the part is
  /// in cache. There are never more logits than a part's.
  /// - Parameter sums: takes the sums that `CrossEntropy.gradient` makes the gradient of.
  private func walk(
    _ hidden: Matrix<Element>, targets: [Int32], sums: Matrix<Element>?
  ) -> CrossEntropy<Element> {
    precondition(targets.count == hidden.rows && targets.allSatisfy { $0 >= 0 && Int($0) < weight.rows })
    var entropy = CrossEntropy<Element>(targets: targets)
    if hidden.rows == 0 { return entropy }
    let hidden = GEMMFactor(hidden, weight.precision)
    weight.forEachSpan { tokens, part in
      let logits: Matrix<Element> = part.timesTransposed(hidden)
      entropy.take(logits, of: tokens, scaling: sums)
      if let sums { part.times(logits, into: sums, accumulate: true) }
    }
    return entropy
  }

  /// The top-1 token of each row; of equal logits the lowest id.   hidden [R, H] -> [R]
  package func argmax(_ hidden: Matrix<Element>) -> [Int32] {
    tokens(hidden) { _, logits in
      var best = 0
      for j in logits.indices where logits[j] > logits[best] { best = j }
      return Int32(best)
    }
  }

  /// The token that `choose` takes for each row by its logits [V].   hidden [R, H] -> [R]
  package func tokens(
    _ hidden: Matrix<Element>, choose: (_ row: Int, _ logits: UnsafeBufferPointer<Element>) -> Int32
  ) -> [Int32] {
    chunks(hidden.rows).flatMap { rows in
      let logits = logits(hidden.rows(rows))
      return rows.map { row in
        choose(row, UnsafeBufferPointer(start: logits.row(row - rows.lowerBound), count: logits.columns))
      }
    }
  }

  private func chunks(_ rows: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: Self.chunkSize).map { $0..<min($0 + Self.chunkSize, rows) }
  }
}
