// The decoder over all layers: hidden states of the tokens that matter, and the backward pass that an adapter needs.
import HuggingFace
import Layers
import Tensors

/// The decoder of all families (transformers `Qwen2_5_VLTextModel`, `Qwen3VLTextModel`, `Qwen3_5TextModel`).
package struct Decoder<Element: Scalar>: Sendable {
  let configuration: TextConfiguration
  let layers: [DecoderLayer<Element>]
  let norm: RMSNorm<Element>
  private let frequencies: [Element]

  init(_ weights: Weights<Element>) throws {
    let configuration = weights.configuration.text
    self.init(
      configuration: configuration, layers: try (0..<configuration.layers).map { try weights.decoderLayer($0) },
      norm: try weights.finalNorm())
  }

  init(configuration: TextConfiguration, layers: [DecoderLayer<Element>], norm: RMSNorm<Element>) {
    self.configuration = configuration
    self.layers = layers
    self.norm = norm
    frequencies = Rotary.inverseFrequencies(
      theta: configuration.ropeTheta, dimension: configuration.rotaryNumbers)
  }

  // MARK: - Forward

  /// Normed hidden states of some of the new tokens, `[R, H]`; no backward follows.
  /// - Parameters:
  ///   - outputPositions: `[R]`, ascending; in the last layer only they are queries.
  ///   - past: what is known of the tokens before; a cache also takes the keys and values of the new ones.
  /// - Precondition: the slots have places for keys that `past` has; an adapter of all tokens has no prefix, since it
  ///   would have acted on the prefix too.
  package func forward(
    _ input: DecoderInput<Element>, outputPositions: [Int], adapter: (any ProjectionAdapter<Element>)?,
    past: Past<Element> = .none
  ) -> Matrix<Element> {
    let tokens = passTokens(input, outputPositions, past, adapter)
    var x = input.embeddings
    for layer in layers[input.firstLayer...] {
      let (y, saved) = forward(x, through: layer, tokens, adapter)
      input.addDeepstack(to: y, after: layer.index, positions: saved.queries.positions)
      x = y
    }
    return norm.forward(x)
  }

  /// What enters a layer for all new tokens, `[T, H]`, without an adapter; for a layer below which none acts.
  /// - Parameter cache: takes the keys and values of the layers below.
  /// - Precondition: the layer is not the first.
  package func hiddenStates(
    _ input: DecoderInput<Element>, before layer: Int, cache: KeyValueCache<Element>
  ) -> Matrix<Element> {
    precondition(layer > 0 && layer < layers.count, "there are layers below")
    let tokens = passTokens(input, [], .cache(cache), nil)
    return layers[..<layer].reduce(input.embeddings) { x, layer in
      let y = layer.forward(x, tokens: tokens, queries: tokens.queries, adapter: nil).y
      input.addDeepstack(to: y, after: layer.index, positions: tokens.queries.positions)
      return y
    }
  }

  /// A forward pass with the activations that its backward needs.
  ///
  /// They are saved from the adapter's lowest layer up, if there is a token that it acts on. A layer's input is always
  /// saved; what exceeds `maximumBytes` beyond the inputs is recomputed in backward, to the same bits.
  /// - Parameters:
  ///   - outputPositions: `[R]`, ascending; in the last layer only they are queries.
  ///   - prefix: keys and values of the tokens before; none for an adapter of all tokens.
  package func forwardSavingActivations(
    _ input: DecoderInput<Element>, outputPositions: [Int], adapter: any ProjectionAdapter<Element>,
    prefix: PrefixKVCache<Element>? = nil, maximumBytes: Int = .max
  ) -> Pass {
    let tokens = passTokens(input, outputPositions, prefix.map(Past.prefix) ?? .none, adapter)
    let isAdapted = !adapter.tokens.spans(visual: tokens.visual, count: tokens.count).isEmpty
    let lowest = lowestLayer(of: adapter) ?? layers.count
    precondition(lowest >= input.firstLayer, "the adapter would have acted on what enters the pass")
    var x = input.embeddings
    var saved: [SavedLayer] = []
    for layer in layers[input.firstLayer...] {
      let (y, activations) = forward(x, through: layer, tokens, adapter)
      input.addDeepstack(to: y, after: layer.index, positions: activations.queries.positions)
      if isAdapted, layer.index >= lowest {
        // Backward needs the uppermost layers first; when it comes to the others, those are freed.
        let fits = layers.count - layer.index <= maximumBytes / activations.byteCount
        saved.append(SavedLayer(x: x, activations: fits ? activations : nil))
      }
      x = y
    }
    return Pass(
      hidden: norm.forward(x), residual: x, outputPositions: outputPositions, tokens: tokens, visual: input.visual,
      saved: saved)
  }

  /// Keys and values of text that depends on no adapter, for passes that begin after it.
  /// - Parameters: `embeddings` `[N, H]`, without an image's; `positions` `[3][N]`.
  package func prefixKVCache(_ embeddings: Matrix<Element>, positions: [[Int32]]) -> PrefixKVCache<Element> {
    let cache = KeyValueCache<Element>(capacity: embeddings.rows, configuration: configuration)
    let input = DecoderInput(embeddings: embeddings, positions: positions)
    _ = forward(input, outputPositions: [], adapter: nil, past: .cache(cache))
    return cache.asPrefix
  }

  private func passTokens(
    _ input: DecoderInput<Element>, _ outputPositions: [Int], _ past: Past<Element>,
    _ adapter: (any ProjectionAdapter<Element>)?
  ) -> PassTokens<Element> {
    if case .prefix = past { precondition(adapter?.tokens != .all, "the adapter would have acted on the prefix") }
    // Pair j follows the temporal, height or width position as `mrope_section` assigns them.
    let rotary = Rotary(
      positions: input.positions, axes: configuration.mropeAxes, frequencies: frequencies,
      headDimension: configuration.headDimension)
    return PassTokens(input, outputPositions: outputPositions, past: past, rotary: rotary)
  }

  func forward(
    _ x: Matrix<Element>, through layer: DecoderLayer<Element>, _ tokens: PassTokens<Element>,
    _ adapter: (any ProjectionAdapter<Element>)?
  ) -> (y: Matrix<Element>, saved: DecoderLayer<Element>.SavedActivations) {
    let isLast = layer.index == layers.count - 1
    return layer.forward(x, tokens: tokens, queries: isLast ? tokens.lastQueries : tokens.queries, adapter: adapter)
  }
}
