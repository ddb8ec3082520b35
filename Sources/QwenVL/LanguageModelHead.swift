// From hidden states to the loss over the vocabulary, some tokens at a time.
import Layers
import Tensors

package typealias TokenLoss = Layers.TokenLoss

/// The language-model head, tied to the embedding or not.
package struct LanguageModelHead<Element: Scalar>: Sendable {
  let weight: StoredMatrix
  /// Tokens whose logits are in memory at once: 128 tokens of a 152k vocabulary are 78 MB.
  private static var chunkSize: Int { 128 }

  /// hidden [R, H] -> logits [R, V]
  package func logits(_ hidden: Matrix<Element>) -> Matrix<Element> { weight.timesTransposed(hidden) }

  /// The loss of each token.
  /// - Parameters: `hidden` `[R, H]`, `targets` `[R]`.
  package func loss(_ hidden: Matrix<Element>, targets: [Int32]) -> [TokenLoss] {
    chunks(hidden.rows).flatMap { CrossEntropy.forward(logits(hidden.rows($0)), targets: Array(targets[$0])) }
  }

  /// The loss of each token, and the gradient of their sum.   -> dHidden [R, H]
  package func lossAndGradient(
    _ hidden: Matrix<Element>, targets: [Int32]
  ) -> (losses: [TokenLoss], dHidden: Matrix<Element>) {
    let dHidden = Matrix<Element>(uninitialized: hidden.rows, hidden.columns)
    let losses = chunks(hidden.rows).flatMap { rows in
      let logits = logits(hidden.rows(rows))
      let chunkTargets = Array(targets[rows])
      let losses = CrossEntropy.forward(logits, targets: chunkTargets)
      CrossEntropy.backward(inPlace: logits, targets: chunkTargets)
      weight.times(logits, into: dHidden.rows(rows), accumulate: false)
      return losses
    }
    return (losses, dHidden)
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
