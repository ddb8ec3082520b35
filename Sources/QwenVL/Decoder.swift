// The decoder over all layers: hidden states of the rows that matter, and the backward pass that an adapter needs.
import HuggingFace
import Layers
import Tensors

/// The rows of a pass as the decoder takes them: one image prefix and its branches, a plain sequence, or the next row
/// of each of several sequences that a cache knows.
public struct DecoderInput<Element: Scalar>: Sendable {
  /// `[T, H]`, visual tokens' features in place.
  public var embeddings: Matrix<Element>
  /// M-RoPE positions, `[3][T]`.
  public var positions: [[Int32]]
  /// Rows of visual tokens, ascending.
  public var visual: [Range<Int>]
  /// What the vision tower has for each run of visual rows, `[rows, H (1 + levels)]`: behind its first `H` columns what
  /// deepstack adds to the outputs of the first layers, a layer a level. Empty where nothing is added.
  public var features: [Matrix<Element>]
  /// The sequences that the rows belong to, in their order, `T` rows in all.
  public var runs: [KeyRun]
  /// The rows before, where they are known already; the first of the runs' keys are theirs.
  public var earlier: EarlierRows<Element>?

  /// New rows of the sequences `runs`.
  public init(
    embeddings: Matrix<Element>, positions: [[Int32]], visual: [Range<Int>], features: [Matrix<Element>] = [],
    runs: [KeyRun], earlier: EarlierRows<Element>? = nil
  ) {
    precondition(runs.reduce(0) { $0 + $1.rows } == embeddings.rows)
    (self.embeddings, self.positions, self.visual, self.runs) = (embeddings, positions, visual, runs)
    (self.features, self.earlier) = (features, earlier)
  }

  /// A prefix, all rows unless stated, and the branches behind it.
  /// - Parameters:
  ///   - firstKey: where in a cache the prefix begins.
  ///   - room: keys that stay free behind each branch, or behind a prefix without branches.
  ///   - earlier: rows before the prefix's.
  public init(
    embeddings: Matrix<Element>, positions: [[Int32]], visual: [Range<Int>], features: [Matrix<Element>] = [],
    prefix: Int? = nil, branches: [Range<Int>] = [], firstKey: Int = 0, room: Int = 0,
    earlier: EarlierRows<Element>? = nil
  ) {
    self.init(
      embeddings: embeddings, positions: positions, visual: visual, features: features,
      runs: KeyRun.packed(
        prefix: prefix ?? embeddings.rows, branches: branches, from: firstKey, earlier: earlier?.count ?? 0,
        room: room),
      earlier: earlier)
  }

  /// Adds what deepstack has for layer `layer` to its output; it depends on no adapter, so gradients pass unchanged.
  /// - Parameters: `y` `[Q, H]`; `rows`, `[Q]`, which of the input's rows they are.
  fileprivate func addDeepstack(to y: Matrix<Element>, behind layer: Int, rows: [Int]) {
    let H = y.columns
    for (picture, features) in zip(visual, features) where features.columns >= (layer + 2) * H {
      let level = features.columns((layer + 1) * H..<(layer + 2) * H)
      for (place, row) in rows.enumerated() where picture.contains(row) {
        let token = row - picture.lowerBound
        y.rows(place..<place + 1).add(level.rows(token..<token + 1))
      }
    }
  }
}

/// The decoder of both families (transformers `Qwen2_5_VLTextModel`, `Qwen3VLTextModel`).
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

  /// A forward pass and what its backward needs; backward uses it up, a layer's memory at a time.
  public final class Pass {
    /// Normed hidden states of the rows asked for, `[R, H]`.
    public let hidden: Matrix<Element>
    /// The same before the last norm.
    fileprivate let residual: Matrix<Element>
    fileprivate let outputRows: [Int]
    fileprivate let rows: Rows
    /// Of the layers from the lowest adapted one up: the input, and the tape unless it is to be computed again.
    fileprivate var records: [(x: Matrix<Element>, tape: DecoderLayer<Element>.Tape?)]

    fileprivate init(
      hidden: Matrix<Element>, residual: Matrix<Element>, outputRows: [Int], rows: Rows,
      records: [(x: Matrix<Element>, tape: DecoderLayer<Element>.Tape?)]
    ) {
      (self.hidden, self.residual, self.outputRows) = (hidden, residual, outputRows)
      (self.rows, self.records) = (rows, records)
    }
  }

  /// What every layer is told about the new rows.
  fileprivate struct Rows {
    let rotary: Rotary<Element>
    let visual: [Range<Int>]
    /// All rows ask, but in the last layer those alone whose hidden states are wanted.
    let all, last: Queries<Element>
    let earlier: EarlierRows<Element>?
  }

  /// Keys and values of rows that depend on no adapter, for passes that begin behind them.
  /// - Parameters: `embeddings` `[N, H]`, without a picture's; `positions` `[3][N]`.
  public func earlierRows(_ embeddings: Matrix<Element>, positions: [[Int32]]) -> EarlierRows<Element> {
    let cache = KeyValueCache<Element>(capacity: embeddings.rows, configuration: configuration)
    let input = DecoderInput(embeddings: embeddings, positions: positions, visual: [])
    _ = forward(input, outputRows: [], adapter: nil, keepTapes: .none, cache: cache)
    return cache.earlierRows
  }

  /// Hidden states at `outputRows`; tapes are kept from the adapter's lowest layer up, if there is a token that it acts
  /// on. The last layer asks only for `outputRows`.
  /// - Parameters:
  ///   - adapter: one of all tokens may not be given with `input.earlier`, whose rows it would have acted on.
  ///   - cache: keys and values of earlier passes, which takes those of the new rows where `input.runs` says; nil for a
  ///     pass of its own.
  public func forward(
    _ input: DecoderInput<Element>, outputRows: [Int], adapter: (any ProjectionAdapter<Element>)?,
    keepTapes: TapePolicy,
    cache: KeyValueCache<Element>? = nil
  ) -> Pass {
    let T = input.embeddings.rows
    if case .forBackward = keepTapes { precondition(cache == nil, "backward knows the rows of one pass") }
    let rotary = rotaryTables(input.positions)
    let pattern = AttentionPattern.causal(input.runs.map { ($0.shared, $0.own, $0.rows) })
    let rows = Rows(
      rotary: rotary, visual: input.visual,
      all: Queries(rows: Array(0..<T), of: T, rotary: rotary, pattern: pattern),
      last: Queries(rows: outputRows, of: T, rotary: rotary, pattern: pattern.selecting(outputRows)),
      earlier: input.earlier)
    precondition(cache == nil || input.earlier == nil, "a cache has its own earlier rows")
    let kept = cache.map { ($0, input.runs.flatMap(\.newKeys)) }
    var x = input.embeddings
    var records: [(x: Matrix<Element>, tape: DecoderLayer<Element>.Tape?)] = []
    for layer in layers {
      let (y, tape) = forward(x, through: layer, rows, cache: kept, adapter: adapter)
      input.addDeepstack(to: y, behind: layer.index, rows: tape.queries.rows)
      if case .forBackward(let maximumBytes) = keepTapes, let adapter, let lowest = adapter.lowestLayer,
        layer.index >= lowest, !adapter.tokens.rows(visual: input.visual, of: T).isEmpty
      {
        // Backward wants the uppermost first; when it comes to the others, those are gone.
        let isKept = layers.count - layer.index <= maximumBytes / tape.byteCount
        records.append((x, isKept ? tape : nil))
      }
      x = y
    }
    return Pass(hidden: norm.forward(x), residual: x, outputRows: outputRows, rows: rows, records: records)
  }

  private func forward(
    _ x: Matrix<Element>, through layer: DecoderLayer<Element>, _ rows: Rows,
    cache: (KeyValueCache<Element>, newKeys: [Int])? = nil, adapter: (any ProjectionAdapter<Element>)?
  ) -> (y: Matrix<Element>, tape: DecoderLayer<Element>.Tape) {
    layer.forward(
      x, rotary: rows.rotary, queries: layer.index == layers.count - 1 ? rows.last : rows.all, visual: rows.visual,
      cache: cache, earlier: rows.earlier, adapter: adapter)
  }

  /// From the gradient of `pass.hidden` down to the lowest adapted layer; the adapter takes what it wants on the way.
  /// Nothing happens for rows without a token that it acts on.   dHidden [R, H]
  public func backward(_ dHidden: Matrix<Element>, pass: Pass, adapter: any ProjectionAdapter<Element>) {
    guard let lowest = adapter.lowestLayer, !pass.records.isEmpty,
      let firstRow = adapter.tokens.rows(visual: pass.rows.visual, of: pass.rows.all.rows.count).first?.lowerBound
    else { return }
    // Answers before the first adapted token depend on no adapter.
    let first = pass.outputRows.firstIndex { $0 >= firstRow } ?? pass.outputRows.count
    let kept = first..<pass.outputRows.count
    if kept.isEmpty { return }
    var dx = norm.backward(dHidden.rows(kept), input: pass.residual.rows(kept))
    while let record = pass.records.popLast() {
      let layer = layers[lowest + pass.records.count]
      let tape = record.tape ?? forward(record.x, through: layer, pass.rows, adapter: adapter).tape
      guard
        let next = layer.backward(
          dx, tape: tape, firstRow: firstRow, visual: pass.rows.visual, rotary: pass.rows.rotary, adapter: adapter)
      else { return }
      dx = next
    }
  }

  /// Pair j follows the temporal, height or width position as `mrope_section` deals them out.
  private func rotaryTables(_ positions: [[Int32]]) -> Rotary<Element> {
    Rotary(positions: positions, axes: configuration.mropeAxes, frequencies: frequencies)
  }
}

/// Whether a forward pass will be followed by a backward, and how much it may keep for it besides the layers' inputs:
/// what is not kept is computed again, to the same bits.
public enum TapePolicy: Sendable {
  case none
  case forBackward(maximumBytes: Int = .max)
}
