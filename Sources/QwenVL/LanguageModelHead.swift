// From hidden states to the loss over the vocabulary, some rows at a time.
import Layers
import Tensors

/// The language-model head, tied to the embedding or not.
package struct LanguageModelHead<Element: Scalar>: Sendable {
  let weight: StoredMatrix
  /// Rows whose logits are held at once: 128 rows of a 152k vocabulary are 78 MB.
  private static var chunkRows: Int { 128 }

  /// hidden [R, H] -> logits [R, V]
  package func logits(_ hidden: Matrix<Element>) -> Matrix<Element> { weight.timesTransposed(hidden) }

  /// Negative log-likelihood of each row's target, and whether it is the most likely token, ties to the lower id.
  /// - Parameters: `hidden` `[R, H]`, `targets` `[R]`.
  package func loss(_ hidden: Matrix<Element>, targets: [Int32]) -> [(nll: Double, isLikeliest: Bool)] {
    chunks(hidden.rows).flatMap { CrossEntropy.forward(logits(hidden.rows($0)), targets: Array(targets[$0])) }
  }

  /// The same, and the gradient of the sum of all rows' NLL.   -> dHidden [R, H]
  package func lossAndGradient(
    _ hidden: Matrix<Element>, targets: [Int32]
  ) -> (losses: [(nll: Double, isLikeliest: Bool)], dHidden: Matrix<Element>) {
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

  /// The most likely token of each row, ties to the lower id.
  package func argmax(_ hidden: Matrix<Element>) -> [Int32] {
    chunks(hidden.rows).flatMap { rows in
      let logits = logits(hidden.rows(rows))
      return (0..<logits.rows).map { i in
        var best = 0
        for j in 0..<logits.columns where logits.row(i)[j] > logits.row(i)[best] { best = j }
        return Int32(best)
      }
    }
  }

  private func chunks(_ rows: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: Self.chunkRows).map { $0..<min($0 + Self.chunkRows, rows) }
  }
}
