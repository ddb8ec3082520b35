// The decoder's backward pass: the gradients that an adapter takes, down to the lowest layer that it acts on or, where
// it acts on the vision tower, through the embeddings.
import Layers
import Tensors

extension Decoder {
  /// What backward needs of one layer.
  struct SavedLayer {
    /// The layer's input, `[N, H]`.
    let x: Matrix<Element>
    /// Nil: they are recomputed.
    let activations: DecoderLayer<Element>.SavedActivations?
  }

  /// A forward pass and what its backward needs; backward uses it up, a layer's memory at a time.
  package final class Pass {
    /// Normed hidden states of the tokens asked for, `[R, H]`.
    package let hidden: Matrix<Element>
    /// The same before the last norm.
    fileprivate let residual: Matrix<Element>
    fileprivate let outputPositions: [Int]
    fileprivate let tokens: PassTokens<Element>
    fileprivate let visual: [VisualSpan<Element>]
    /// Of the layers from the lowest that backward reaches.
    fileprivate var saved: [SavedLayer]

    init(
      hidden: Matrix<Element>, residual: Matrix<Element>, outputPositions: [Int], tokens: PassTokens<Element>,
      visual: [VisualSpan<Element>], saved: [SavedLayer]
    ) {
      (self.hidden, self.residual, self.outputPositions) = (hidden, residual, outputPositions)
      (self.tokens, self.visual, self.saved) = (tokens, visual, saved)
    }
  }

  /// The lowest layer that backward reaches; nil: there is nothing to learn.
  func lowestLayer(of adapter: any ProjectionAdapter<Element>) -> Int? {
    adapter.tower == nil ? adapter.lowestLayer : 0
  }

  /// From the gradient of `pass.hidden` down to the lowest adapted layer; the adapter takes its gradients on the way.
  /// Nothing happens without a token that it acts on.
  /// - Parameter dHidden: `[R, H]`.
  /// - Returns: the gradients of the images' features, `[tokens, H (1 + levels)]` each, where the adapter acts on the
  ///   vision tower; otherwise none.
  @discardableResult
  package func backward(
    _ dHidden: Matrix<Element>, pass: Pass, adapter: any ProjectionAdapter<Element>
  ) -> [Matrix<Element>] {
    let tokens = pass.tokens
    guard let lowest = lowestLayer(of: adapter), !pass.saved.isEmpty,
      let first = adapter.tokens.spans(visual: tokens.visual, count: tokens.count).first?.lowerBound
    else { return [] }
    // Answers before the first adapted token depend on no adapter.
    let outputs = pass.outputPositions
    let covered = (outputs.firstIndex { $0 >= first } ?? outputs.count)..<outputs.count
    if covered.isEmpty { return [] }
    let features = adapter.tower == nil ? [] : pass.visual.map { VisualGradient(of: $0) }
    var dx = norm.backward(dHidden.rows(covered), input: pass.residual.rows(covered))
    while let saved = pass.saved.popLast() {
      let layer = layers[lowest + pass.saved.count]
      let activations = saved.activations ?? forward(saved.x, through: layer, tokens, adapter).saved
      let positions = activations.queries.positions
      for image in features { image.take(dx, at: positions.suffix(dx.rows), level: layer.index + 1) }
      guard let next = layer.backward(dx, activations, from: first, tokens: tokens, adapter: adapter) else { return [] }
      dx = next
    }
    for image in features { image.take(dx, at: (first..<first + dx.rows)[...], level: 0) }
    return features.map(\.gradient)
  }
}

/// The gradient of an image's features, as backward comes to the places where they enter the decoder.
private struct VisualGradient<Element: Scalar> {
  let tokens: Range<Int>
  let gradient: Matrix<Element>

  init(of image: VisualSpan<Element>) {
    (tokens, gradient) = (image.tokens, Matrix(zeros: image.features.rows, image.features.columns))
  }

  /// Adds a gradient of the residual stream: level 0 is the embeddings, level l what deepstack adds to the output of
  /// layer l - 1.
  /// - Parameters: `dx` `[Q, H]`; `positions` `[Q]`, the tokens that its rows belong to.
  func take(_ dx: Matrix<Element>, at positions: some Collection<Int>, level: Int) {
    let H = dx.columns
    guard gradient.columns >= (level + 1) * H else { return }
    let part = gradient.columns(level * H..<(level + 1) * H)
    for (row, position) in positions.enumerated() where tokens.contains(position) {
      let token = position - tokens.lowerBound
      part.rows(token..<token + 1).add(dx.rows(row..<row + 1))
    }
  }
}
