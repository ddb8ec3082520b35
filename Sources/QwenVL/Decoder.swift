// The decoder over all layers: hidden states of the rows that matter, and the backward pass that an adapter needs.
import HuggingFace
import Layers
import Tensors

/// The rows of one unit as the decoder takes them: one image prefix and its branches, or a plain sequence.
public struct DecoderInput<Element: Scalar>: Sendable {
  /// `[T, H]`, visual tokens' features in place.
  public var embeddings: Matrix<Element>
  /// M-RoPE positions, `[3][T]`.
  public var positions: [[Int32]]
  /// Rows of visual tokens, ascending.
  public var visual: [Range<Int>]
  /// Rows of the prefix; `T` where there are no branches.
  public var prefix: Int
  /// Rows of each branch behind the prefix.
  public var branches: [Range<Int>]

  public init(
    embeddings: Matrix<Element>, positions: [[Int32]], visual: [Range<Int>], prefix: Int? = nil,
    branches: [Range<Int>] = []
  ) {
    self.embeddings = embeddings
    self.positions = positions
    self.visual = visual
    self.prefix = prefix ?? embeddings.rows
    self.branches = branches
  }
}

/// Qwen2.5-VL's decoder (transformers `Qwen2_5_VLTextModel`).
public struct Decoder<Element: Scalar>: Sendable {
  let configuration: TextConfiguration
  let layers: [DecoderLayer<Element>]
  let norm: RMSNorm<Element>
  private let frequencies: [Element]

  init(_ weights: Weights<Element>, rotaryFrequencies type: ElementType) throws {
    let configuration = weights.configuration.text
    self.init(
      configuration: configuration, layers: try (0..<configuration.layers).map { try weights.decoderLayer($0) },
      norm: try weights.finalNorm(), rotaryFrequencies: type)
  }

  init(
    configuration: TextConfiguration, layers: [DecoderLayer<Element>], norm: RMSNorm<Element>,
    rotaryFrequencies type: ElementType = .float32
  ) {
    self.configuration = configuration
    self.layers = layers
    self.norm = norm
    frequencies = Rotary.inverseFrequencies(
      theta: configuration.ropeTheta, dimension: configuration.headDimension, roundedTo: type)
  }

  /// A forward pass and what its backward needs.
  public struct Pass: Sendable {
    /// Normed hidden states of the rows asked for, `[R, H]`.
    public let hidden: Matrix<Element>
    /// The same before the last norm.
    fileprivate let residual: Matrix<Element>
    fileprivate let outputRows: [Int]
    fileprivate let rotary: Rotary<Element>
    fileprivate let visual: [Range<Int>]
    /// Tapes of the layers from the lowest adapted one up.
    fileprivate let tapes: [DecoderLayer<Element>.Tape]
  }

  /// Hidden states at `outputRows`; tapes are kept from the adapter's lowest layer up, if a picture is there to learn
  /// from. The last layer asks only for `outputRows`.
  /// - Parameter cache: rows seen before; nil for a pass of its own.
  public func forward(
    _ input: DecoderInput<Element>, outputRows: [Int], adapter: (any ValueAdapter<Element>)?, keepTapes: TapePolicy,
    cache: KeyValueCache<Element>? = nil
  ) -> Pass {
    let T = input.embeddings.rows
    let cache = cache ?? KeyValueCache(capacity: T, configuration: configuration)
    precondition(cache.count == 0 || input.branches.isEmpty && input.prefix == T)
    let rotary = rotaryTables(input.positions)
    func queries(_ rows: [Int]) -> Queries<Element> {
      let seen = cache.count
      let pattern = AttentionPattern.causal(
        prefix: seen + input.prefix, branches: input.branches, rows: rows.map { $0 + seen })
      return Queries(rows: rows, of: T, rotary: rotary, pattern: pattern)
    }
    let all = queries(Array(0..<T))
    let last = queries(outputRows)
    let lowest = keepTapes == .forBackward && !input.visual.isEmpty ? adapter?.lowestLayer : nil
    var x = input.embeddings
    var tapes: [DecoderLayer<Element>.Tape] = []
    for layer in layers {
      let (y, tape) = layer.forward(
        x, rotary: rotary, queries: layer.index == layers.count - 1 ? last : all, visual: input.visual, cache: cache,
        adapter: adapter)
      if let lowest, layer.index >= lowest { tapes.append(tape) }
      x = y
    }
    cache.advance(by: T)
    return Pass(
      hidden: norm.forward(x), residual: x, outputRows: outputRows, rotary: rotary, visual: input.visual, tapes: tapes)
  }

  /// From the gradient of `pass.hidden` down to the lowest adapted layer; the adapter takes what it wants on the way.
  /// Nothing happens for a row without a picture.   dHidden [R, H]
  public func backward(_ dHidden: Matrix<Element>, pass: Pass, adapter: any ValueAdapter<Element>) {
    guard let lowest = adapter.lowestLayer, let firstRow = pass.visual.first?.lowerBound, !pass.tapes.isEmpty
    else { return }
    // Answers before the first picture depend on no adapter.
    let first = pass.outputRows.firstIndex { $0 >= firstRow } ?? pass.outputRows.count
    let kept = first..<pass.outputRows.count
    if kept.isEmpty { return }
    var dx = norm.backward(dHidden.rows(kept), input: pass.residual.rows(kept))
    for tape in pass.tapes.indices.reversed() {
      let layer = layers[lowest + tape]
      let needed: Attention<Element>.Needed = layer.index == lowest ? .valuesOnly : .all
      guard
        let next = layer.backward(
          dx, tape: pass.tapes[tape], firstRow: firstRow, visual: pass.visual, rotary: pass.rotary, adapter: adapter,
          needed: needed)
      else { return }
      dx = next
    }
  }

  /// Pair j follows the temporal, height or width position as `mrope_section` deals them out.
  private func rotaryTables(_ positions: [[Int32]]) -> Rotary<Element> {
    let axes = configuration.mropeSection.enumerated().flatMap { axis, count in Array(repeating: axis, count: count) }
    return Rotary(positions: positions, axes: axes, frequencies: frequencies)
  }
}

/// Whether a forward pass will be followed by a backward.
public enum TapePolicy: Sendable { case none, forBackward }
