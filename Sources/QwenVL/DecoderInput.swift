// The new tokens of a pass as the decoder takes them.
import Tensors

/// The tokens of one image, and what the vision tower computed for them.
package struct VisualSpan<Element: Scalar>: Sendable {
  /// Consecutive tokens.
  package var tokens: Range<Int>
  /// `[tokens, H (1 + levels)]`: the tokens' embeddings, then what deepstack adds to the outputs of the first layers, a
  /// level a layer.
  package var features: Matrix<Element>

  /// - Precondition: one row of features a token.
  package init(tokens: Range<Int>, features: Matrix<Element>) {
    precondition(tokens.count == features.rows)
    (self.tokens, self.features) = (tokens, features)
  }

  /// The same image `count` tokens earlier.
  package func moved(back count: Int) -> VisualSpan {
    VisualSpan(tokens: tokens.lowerBound - count..<tokens.upperBound - count, features: features)
  }
}

/// The new tokens of a pass: an image prefix and its branches, a plain sequence, or the next token of each of several
/// sequences in a cache.
package struct DecoderInput<Element: Scalar>: Sendable {
  /// `[T, H]`, those of visual tokens from the images' features; what enters `firstLayer` where that is not 0.
  package var embeddings: Matrix<Element>
  /// The layer that the pass begins with.
  package var firstLayer: Int
  /// M-RoPE positions, `[3][T]`.
  package var positions: [[Int32]]
  /// The visual tokens, ascending.
  package var visual: [VisualSpan<Element>]
  /// The sequences that the tokens belong to, in the order of the tokens.
  package var slots: [SequenceSlot]
  /// Of all tokens, in training with dropout.
  package var dropout: TokenDropout?

  /// - Parameter slots: nil: the tokens are one sequence from its first token on.
  /// - Precondition: the slots have `T` new tokens, and the dropout a key for each.
  package init(
    embeddings: Matrix<Element>, positions: [[Int32]], visual: [VisualSpan<Element>] = [],
    slots: [SequenceSlot]? = nil, dropout: TokenDropout? = nil, firstLayer: Int = 0
  ) {
    let slots = slots ?? SequenceSlot.packed(prefix: embeddings.rows)
    precondition(slots.reduce(0) { $0 + $1.newTokens } == embeddings.rows)
    precondition(dropout.map { $0.keys.count == embeddings.rows } ?? true)
    (self.embeddings, self.positions, self.visual, self.slots) = (embeddings, positions, visual, slots)
    (self.dropout, self.firstLayer) = (dropout, firstLayer)
  }

  /// Adds deepstack's level for layer `layer` to its output. The level depends on no adapter, so gradients pass
  /// unchanged.
  /// - Parameters: `y` `[Q, H]`, changed in place; `positions` `[Q]`, the tokens that they belong to.
  func addDeepstack(to y: Matrix<Element>, after layer: Int, positions: [Int]) {
    let H = y.columns
    for image in visual where image.features.columns >= (layer + 2) * H {
      let level = image.features.columns((layer + 1) * H..<(layer + 2) * H)
      for (row, position) in positions.enumerated() where image.tokens.contains(position) {
        let token = position - image.tokens.lowerBound
        y.rows(row..<row + 1).add(level.rows(token..<token + 1))
      }
    }
  }
}
