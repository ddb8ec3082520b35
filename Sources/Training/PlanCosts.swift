// What a unit of rows costs in floating-point operations and in memory, by the formulas of the layers' own code.
import Datasets
import HuggingFace

/// Floating-point operations of one unit, two a multiply-add; elementwise work is left out.
package struct UnitOperations: Equatable {
  /// The vision tower; once a picture as long as its features are kept.
  package let vision: Double
  /// The decoder's forward pass.
  package let forward: Double
  /// Its backward pass: input gradients only, down to the lowest adapted layer.
  package let backward: Double
  /// The language-model head, both ways.
  package let head: Double
  /// The adapter, both ways.
  package let adapter: Double
  /// All but the vision tower.
  package var decoding: Double { forward + backward + head + adapter }

  /// Those of several units, divided by a number.
  static func mean(_ units: [UnitOperations], over count: Double) -> UnitOperations {
    func mean(_ part: KeyPath<UnitOperations, Double>) -> Double { units.reduce(0) { $0 + $1[keyPath: part] } / count }
    return UnitOperations(
      vision: mean(\.vision), forward: mean(\.forward), backward: mean(\.backward), head: mean(\.head),
      adapter: mean(\.adapter))
  }

  private init(vision: Double, forward: Double, backward: Double, head: Double, adapter: Double) {
    (self.vision, self.forward, self.backward) = (vision, forward, backward)
    (self.head, self.adapter) = (head, adapter)
  }

  package init(_ unit: UnitShape, budgets: LayerBudgets, rank: Int, _ configuration: ModelConfiguration) {
    self.init(unit, adapter: .imageLoRA(budgets, rank: rank), configuration)
  }

  init(_ unit: UnitShape, adapter planned: PlannedAdapter, _ configuration: ModelConfiguration) {
    let (v, t) = (configuration.vision, configuration.text)
    let learns = planned.learns(from: unit)
    let (first, latePairs, keptPairs) = planned.backward(of: unit)
    vision = 2 * unit.pictures.reduce(0) { $0 + Self.vision(patches: $1, v) }
    let widths = DecoderWidths(t)
    let (T, R) = (Double(unit.tokens), Double(unit.answers))
    let N = Double(unit.tokens - first)  // rows that have a gradient
    let L = t.layers

    // Keys and values of all rows; the rest of the last layer for the answers alone.
    let whole = T * (widths.keysValues + widths.perQuery) + 2 * widths.queries * unit.pairs
    let last = T * widths.keysValues + R * widths.perQuery + 2 * widths.queries * unit.answerPairs
    forward = 2 * (Double(L - 1) * whole + last)
    head = 2 * (learns ? 2 : 1) * R * widths.head
    let multiplyAdds = planned.multiplyAdds(tokens: T, visual: Double(unit.visual), t)
    adapter = 2 * multiplyAdds * (learns ? 3 : 1)
    guard learns else {
      backward = 0
      return
    }
    // Attention recomputes its scores: scores, dp, dq for every key, dv, dk for keys that have a gradient.
    func layer(queries Q: Double, pairs: Double, kept: Double) -> Double {
      N * widths.keysValues + Q * widths.perQuery + widths.queries * (3 * pairs + 2 * kept)
    }
    /// The lowest adapted layer ends at what is adapted: no projection of q, k, v; dp, dq, dk for queries and keys
    /// alone; no attention for the output projection.
    func lowest(queries Q: Double, pairs: Double, kept: Double) -> Double {
      let needed = planned.lowestProjections
      if needed == [.output] { return Q * (widths.perQuery - 2 * widths.queryProjection) }
      let whole = needed.contains(.query) || needed.contains(.key)
      return Q * (widths.perQuery - widths.queryProjection)
        + widths.queries * (whole ? 3 * pairs + 2 * kept : pairs + kept)
    }
    let keptAnswers = unit.answerPairs - R * Double(first)
    if planned.lowest == L - 1 {
      backward = 2 * lowest(queries: R, pairs: unit.answerPairs, kept: keptAnswers)
    } else {
      backward =
        2
        * (lowest(queries: N, pairs: latePairs, kept: keptPairs)
          + Double(L - 2 - planned.lowest) * layer(queries: N, pairs: latePairs, kept: keptPairs)
          + layer(queries: R, pairs: unit.answerPairs, kept: keptAnswers))
    }
  }

  /// Multiply-adds of one picture through the tower and the mergers.
  private static func vision(patches: Int, _ v: VisionConfiguration) -> Double {
    let (P, H, I) = (Double(patches), Double(v.hiddenSize), Double(v.intermediateSize))
    let side = v.windowSize.map { $0 / v.patchSize / v.spatialMergeSize * v.spatialMergeSize }
    let window = side.map { min(P, Double($0 * $0)) } ?? P
    let full = Double(v.fullAttentionBlocks.count)
    let attention = 2 * P * H * (full * P + (Double(v.depth) - full) * window)
    let unit = Double(v.spatialMergeSize * v.spatialMergeSize)
    let merger = P / unit * unit * H * (unit * H + Double(v.outHiddenSize))
    let block = 4 * H * H + Double(v.mlpInputs + 1) * H * I
    return P * H * Double(v.patchNumbers) + Double(v.depth) * P * block + attention
      + Double(1 + v.deepstackBlocks.count) * merger
  }
}

/// A decoder layer's widths as multiply-adds.
private struct DecoderWidths {
  /// Query heads times their dimension.
  let queries: Double
  /// k and v projections of a row.
  let keysValues: Double
  let queryProjection: Double
  /// q, o and the MLP of a row that asks.
  let perQuery: Double
  /// The head, of a row.
  let head: Double

  init(_ t: TextConfiguration) {
    let H = Double(t.hiddenSize)
    queries = Double(t.attentionHeads * t.headDimension)
    keysValues = 2 * H * Double(t.kvHeads * t.headDimension)
    queryProjection = H * queries
    perQuery = 2 * H * queries + 3 * H * Double(t.intermediateSize)
    head = H * Double(t.vocabularySize)
  }
}

/// What steps are like, from some of them dealt to ranks as training deals them.
struct StepWork: Equatable {
  /// Of one row.
  let row: UnitOperations
  /// Of one step on the rank that has most, the vision tower left out, and its part alone.
  let busiest, busiestVision: Double
  /// How much of the ranks' time the busiest leaves unused, 0 to 1.
  let idle: Double
  /// Multiply-adds of one row: the adapter's forward pass, and standard LoRA's.
  let adapter, standard: Double

  /// - Precondition: at least one step with at least one unit.
  init(_ steps: [[UnitShape]], ranks: Int, adapter: PlannedAdapter, rank r: Int, _ configuration: ModelConfiguration) {
    let text = configuration.text
    var operations: [UnitOperations] = []
    var (busiest, vision, rows, visual, tokens) = (0.0, 0.0, 0, 0.0, 0.0)
    for units in steps {
      let work = units.map { UnitOperations($0, adapter: adapter, configuration) }
      let hands = deal(units: work.map(\.decoding), ranks: ranks)
      busiest += hands.map { $0.reduce(0) { $0 + work[$1].decoding } }.max() ?? 0
      vision += hands.map { $0.reduce(0) { $0 + work[$1].vision } }.max() ?? 0
      operations += work
      rows += units.reduce(0) { $0 + $1.rows }
      visual += units.reduce(0) { $0 + Double($1.visual) }
      tokens += units.reduce(0) { $0 + Double($1.tokens) }
    }
    row = .mean(operations, over: Double(rows))
    self.busiest = busiest / Double(steps.count)
    busiestVision = vision / Double(steps.count)
    let all = operations.reduce(0) { $0 + $1.decoding }
    idle = busiest > 0 ? 1 - all / (busiest * Double(ranks)) : 0
    self.adapter = adapter.multiplyAdds(tokens: tokens, visual: visual, text) / Double(rows)
    standard = Double(StandardLoRA.parameters(rank: r, text)) * tokens / Double(rows)
  }
}

/// Bytes of a rank beside the mapped weights, at one unit.
struct RankMemory: Equatable {
  /// The inputs of the layers from the lowest adapted one up, and what `DecoderLayer.Tape` keeps of them for backward.
  let tapes: Double
  /// The largest of what lives only while a layer, the head or the vision tower computes.
  let work: Double
  /// Parameters, gradients, both moments, the reduced gradient, and the exact sum's words.
  let adapter: Double
  /// Visual tokens of pictures that are kept.
  let features: Double
  /// The program, its libraries, tokenizer and rows: about so much.
  let program: Double
  var total: Double { tapes + work + adapter + features + program }

  /// - Parameters:
  ///   - pictureTokens: visual tokens of all different pictures together.
  ///   - featureMiB: `model.feature_memory_mib`.
  ///   - activationBytes: what tapes may take besides the layers' inputs.
  init(
    _ unit: UnitShape, adapter planned: PlannedAdapter, pictureTokens: Double, featureMiB: Int, activationBytes: Int,
    _ configuration: ModelConfiguration
  ) {
    let (v, t) = (configuration.vision, configuration.text)
    let float = Double(MemoryLayout<Float>.stride)
    let (T, R) = (Double(unit.tokens), Double(unit.answers))
    let (H, I, heads) = (Double(t.hiddenSize), Double(t.intermediateSize), Double(t.attentionHeads))
    let (queries, keys) = (heads * Double(t.headDimension), Double(t.kvHeads * t.headDimension))
    // k and v of every row; q, attention's output and statistics, h, gate and up of rows that ask; x of every row
    // besides. Queries and keys once more where they have norms.
    let twice: Double = t.queryKeyNorm ? 1 : 0
    func tape(_ Q: Double) -> Double {
      float * ((2 + twice) * T * keys + Q * ((2 + twice) * queries + heads + H + 2 * I))
    }
    let taped = planned.learns(from: unit) ? t.layers - planned.lowest : 0
    let all = taped > 0 ? Double(taped - 1) * tape(T) + tape(R) : 0
    // Beyond the budget a layer at a time is computed again.
    tapes = float * Double(taped) * T * H + min(all, Double(activationBytes) + tape(T))
    // Backward of the MLP at its widest: three matrices of the MLP's width, and a handful of the hidden size.
    let layer = float * T * (3 * I + 5 * H)
    let head = float * (min(R, 128) * Double(t.vocabularySize) + 2 * R * H)
    let patches = Double(unit.pictures.max() ?? 0)
    let vision = float * patches * Double(v.patchNumbers + 6 * v.hiddenSize + (v.mlpInputs + 1) * v.intermediateSize)
    work = max(layer, head, vision) + float * T * H
    // Four vectors of fp32, the gradient taken from the sum, its words and MPI's copy of them.
    adapter = Double(planned.parameters(t)) * (5 * float + 2 * Double(MemoryLayout<Int128>.stride))
    features = min(Double(featureMiB) * 0x1p20, pictureTokens * Double(v.featureColumns) * float)
    program = Double(60 << 20)
  }
}
