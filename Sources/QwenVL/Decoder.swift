// The decoder over all layers: hidden states of the rows that matter, and the backward pass that an adapter needs.
import HuggingFace
import Layers
import Tensors

/// The rows of a pass as the decoder takes them: one image prefix and its branches, a plain sequence, or the next row of
/// each of several sequences that a cache knows.
public struct DecoderInput<Element: Scalar>: Sendable {
  /// `[T, H]`, visual tokens' features in place.
  public var embeddings: Matrix<Element>
  /// M-RoPE positions, `[3][T]`.
  public var positions: [[Int32]]
  /// Rows of visual tokens, ascending.
  public var visual: [Range<Int>]
  /// The sequences that the rows belong to, in their order, `T` rows in all.
  public var runs: [KeyRun]

  /// New rows of the sequences `runs`.
  public init(embeddings: Matrix<Element>, positions: [[Int32]], visual: [Range<Int>], runs: [KeyRun]) {
    precondition(runs.reduce(0) { $0 + $1.rows } == embeddings.rows)
    (self.embeddings, self.positions, self.visual, self.runs) = (embeddings, positions, visual, runs)
  }

  /// A prefix, all rows unless stated, and the branches behind it.
  /// - Parameters:
  ///   - firstKey: where in a cache the prefix begins.
  ///   - room: keys that stay free behind each branch, or behind a prefix without branches.
  public init(
    embeddings: Matrix<Element>, positions: [[Int32]], visual: [Range<Int>], prefix: Int? = nil,
    branches: [Range<Int>] = [], firstKey: Int = 0, room: Int = 0
  ) {
    self.init(
      embeddings: embeddings, positions: positions, visual: visual,
      runs: KeyRun.packed(prefix: prefix ?? embeddings.rows, branches: branches, from: firstKey, room: room))
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
  /// - Parameter cache: keys and values of earlier passes, which takes those of the new rows where `input.runs` says; nil
  ///   for a pass of its own.
  public func forward(
    _ input: DecoderInput<Element>, outputRows: [Int], adapter: (any ValueAdapter<Element>)?, keepTapes: TapePolicy,
    cache: KeyValueCache<Element>? = nil
  ) -> Pass {
    let T = input.embeddings.rows
    precondition(cache == nil || keepTapes == .none, "backward knows the rows of one pass")
    let rotary = rotaryTables(input.positions)
    let pattern = AttentionPattern.causal(input.runs.map { ($0.shared, $0.own, $0.rows) })
    let all = Queries(rows: Array(0..<T), of: T, rotary: rotary, pattern: pattern)
    let last = Queries(rows: outputRows, of: T, rotary: rotary, pattern: pattern.selecting(outputRows))
    let kept = cache.map { ($0, input.runs.flatMap(\.newKeys)) }
    let lowest = keepTapes == .forBackward && !input.visual.isEmpty ? adapter?.lowestLayer : nil
    var x = input.embeddings
    var tapes: [DecoderLayer<Element>.Tape] = []
    for layer in layers {
      let (y, tape) = layer.forward(
        x, rotary: rotary, queries: layer.index == layers.count - 1 ? last : all, visual: input.visual, cache: kept,
        adapter: adapter)
      if let lowest, layer.index >= lowest { tapes.append(tape) }
      x = y
    }
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
