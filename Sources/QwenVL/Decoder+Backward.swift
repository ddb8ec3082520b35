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
    let tokens: PassTokens<Element>
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

// MARK: - Each sequence's own loss

extension Decoder {
  /// From the gradient of `pass.hidden` down to the lowest adapted layer, for each sequence by itself: an adapter takes
  /// the gradients of its own sequence's loss. Images that sequences share went forward once, and are passed back for
  /// each.
  /// - Parameters:
  ///   - dHidden: `[R, H]`.
  ///   - adapters: one for each sequence of the pass. They act on visual tokens of the same layers, all in the same
  ///     way.
  package func backward(
    _ dHidden: Matrix<Element>, pass: Pass, separately adapters: [any ProjectionAdapter<Element>]
  ) {
    guard adapters.count > 1 else {
      for adapter in adapters { backward(dHidden, pass: pass, adapter: adapter) }
      return
    }
    let (leaves, images) = (pass.tokens.leaves, pass.tokens.imagesOfPieces)
    precondition(adapters.count == leaves.count, "one adapter a sequence")
    if leaves.allSatisfy({ pass.tokens.path(to: $0).dropLast().allSatisfy { images[$0].isEmpty } }) {
      // No gradient reaches the text before all images, and none of one sequence another's tokens.
      backward(dHidden, pass: pass, adapter: SeparateAdapters(Array(zip(leaves.map { images[$0] }, adapters))))
      return
    }
    guard let lowest = adapters[0].lowestLayer, !pass.saved.isEmpty else { return }
    var runs = SeparatedTokens.runs(of: pass.tokens, rows: usefulGEMMRows).compactMap { run in
      SeparatedBackward(leaves[run], of: pass.tokens, outputPositions: pass.outputPositions, adapters[run]) { outputs in
        norm.backward(dHidden.gathering(outputs), input: pass.residual.gathering(outputs))
      }
    }
    while let saved = pass.saved.popLast() {
      let layer = layers[lowest + pass.saved.count]
      let activations = saved.activations ?? forward(saved.x, through: layer, pass.tokens, adapters[0]).saved
      for index in runs.indices {
        runs[index].pass(layer, activations, isLast: layer.index == layers.count - 1)
      }
    }
  }
}

/// Some sequences on the way back.
private struct SeparatedBackward<Element: Scalar> {
  let separated: SeparatedTokens<Element>
  let adapter: SeparateAdapters<Element>
  /// The first adapted token.
  let first: Int
  /// From there on; nil below the lowest adapted layer.
  var dx: Matrix<Element>?

  /// Nil if nothing is adapted that an output depends on.
  /// - Parameter top: makes the gradient of the last layer's output from the outputs' indices.
  init?(
    _ leaves: ArraySlice<Int>, of tokens: PassTokens<Element>, outputPositions: [Int],
    _ adapters: ArraySlice<any ProjectionAdapter<Element>>, top: (_ outputs: [Int]) -> Matrix<Element>
  ) {
    separated = SeparatedTokens(leaves, of: tokens, outputPositions: outputPositions)
    adapter = SeparateAdapters(Array(zip(separated.images, adapters)))
    let positions = separated.tokens.lastQueries.positions
    guard let first = separated.tokens.visual.first?.lowerBound,
      let output = positions.firstIndex(where: { $0 >= first })
    else { return nil }
    self.first = first
    dx = top(Array(separated.outputs[output...]))
  }

  mutating func pass(
    _ layer: DecoderLayer<Element>, _ activations: DecoderLayer<Element>.SavedActivations, isLast: Bool
  ) {
    guard let dy = dx else { return }
    let own = activations.gathering(separated, separated.queries(inLastLayer: isLast))
    dx = layer.backward(dy, own, from: first, tokens: separated.tokens, adapter: adapter)
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
