// The model FLOPs of a batch, by the formulas of the layers' own code.
import Batches
import HuggingFace
import Layers
import QwenVL

/// Model FLOPs of one batch, two a multiply-add; elementwise work is left out.
package struct BatchFLOPs: Equatable {
  /// The vision tower; once an image as long as its features are cached. 0 with an adapter of the tower.
  package let vision: Double
  /// The vision tower with an adapter of its own, both ways, each time.
  package let tower: Double
  /// The decoder's forward pass.
  package let forward: Double
  /// Its backward pass: input gradients only, down to the lowest adapted layer.
  package let backward: Double
  /// The language-model head, both ways.
  package let head: Double
  /// The adapter, both ways.
  package let adapter: Double
  /// All that is computed each time: all but a frozen vision tower.
  package var decoding: Double { forward + backward + head + adapter + tower }

  /// Those of several batches, divided by a number.
  package static func mean(_ batches: [BatchFLOPs], over count: Double) -> BatchFLOPs {
    func mean(_ part: KeyPath<BatchFLOPs, Double>) -> Double { batches.reduce(0) { $0 + $1[keyPath: part] } / count }
    return BatchFLOPs(
      vision: mean(\.vision), tower: mean(\.tower), forward: mean(\.forward), backward: mean(\.backward),
      head: mean(\.head), adapter: mean(\.adapter))
  }

  private init(vision: Double, tower: Double, forward: Double, backward: Double, head: Double, adapter: Double) {
    (self.vision, self.tower, self.forward, self.backward) = (vision, tower, forward, backward)
    (self.head, self.adapter) = (head, adapter)
  }

  package init(_ unit: BatchShape, budgets: LayerBudgets, rank: Int, _ configuration: ModelConfiguration) {
    self.init(unit, adapter: .imageLoRA(budgets, rank: rank), configuration)
  }

  package init(_ unit: BatchShape, adapter planned: PlannedAdapter, _ configuration: ModelConfiguration) {
    let (v, t) = (configuration.vision, configuration.text)
    let learns = planned.learns(from: unit)
    let (first, latePairs, keptPairs) = planned.backward(of: unit)
    let towers = unit.images.map { Self.vision(patches: $0, v) }
    vision = planned.reachesTower ? 0 : 2 * towers.reduce(0) { $0 + $1.blocks + $1.attention + $1.rest }
    // Attention's backward has five products of its forward's two; the patches' embedding has none.
    let (share, both) = (planned.towerShare, learns ? 1.0 : 0)
    tower =
      planned.reachesTower
      ? 2
        * zip(unit.images, towers).reduce(0) { sum, image in
          let (patches, work) = image
          return sum + work.blocks * (1 + both * share) + work.attention * (1 + both * share * 2.5) + work.rest
            + planned.towerMultiplyAdds(patches: Double(patches)) * (1 + 2 * both)
        } : 0
    let widths = DecoderWidths(t)
    let (T, R) = (Double(unit.tokens), Double(unit.answers))
    let N = Double(unit.tokens - first)  // tokens that have a gradient
    let L = t.layers

    forward = 2 * (0..<L).reduce(0) { $0 + Self.forward($1, unit, widths, t) }
    head = 2 * (learns ? 2 : 1) * R * widths.head
    let multiplyAdds = planned.multiplyAdds(tokens: T, visual: Double(unit.visual), t)
    adapter = 2 * multiplyAdds * (learns ? 3 : 1)
    guard learns else {
      backward = 0
      return
    }
    let keptAnswers = unit.answerPairs - R * Double(first)
    func counts(_ layer: Int) -> (queries: Double, pairs: Double, kept: Double) {
      layer == L - 1 ? (R, unit.answerPairs, keptAnswers) : (N, latePairs, keptPairs)
    }
    // Attention recomputes its scores: scores, dp, dq for every key, dv, dk for keys that have a gradient.
    func backwardLayer(_ layer: Int) -> Double {
      let (Q, pairs, kept) = counts(layer)
      if t.isLinear(layer) { return N * widths.linearInputsBackward + Q * widths.linearPerQuery }
      return N * widths.keysValues + Q * widths.perQuery + widths.queries * (3 * pairs + 2 * kept)
    }
    /// The lowest adapted layer ends at what is adapted: in the MLP; behind attention or the rule, for the output
    /// projection; at the projections to q, k and v, with dp, dq, dk for queries and keys alone.
    func lowestLayer(_ layer: Int) -> Double {
      let (Q, pairs, kept) = counts(layer)
      let needed = Set(planned.lowestProjections)
      func needs(_ projections: Projection...) -> Bool { !needed.isDisjoint(with: projections) }
      if needed.isSubset(of: Projection.mlp) { return needs(.gate, .up) ? Q * widths.downProjection : 0 }
      if needed.isSubset(of: [.output, .linearOutput] + Projection.mlp) { return Q * widths.mlp }
      if t.isLinear(layer) {
        return (needs(.value, .linearInput, .linearStrength, .linearDecay) ? N * widths.ruleBackward : 0)
          + Q * widths.linearBehindRule
      }
      return Q * (widths.perQuery - widths.queryProjection)
        + widths.queries * (needs(.query, .key) ? 3 * pairs + 2 * kept : pairs + kept)
    }
    let lowest = planned.lowest(t)
    let last = planned.reachesTower ? backwardLayer(0) : lowestLayer(lowest)
    backward = 2 * (lowest + 1..<max(L, lowest + 1)).reduce(last) { $0 + backwardLayer($1) }
  }

  /// The decoder's forward pass up to a layer.
  package static func forward(below layer: Int, _ unit: BatchShape, _ text: TextConfiguration) -> Double {
    let widths = DecoderWidths(text)
    return 2 * (0..<layer).reduce(0) { $0 + forward($1, unit, widths, text) }
  }

  /// Multiply-adds of a layer's forward pass: what mixes tokens for all of them; the rest of the last layer for the
  /// answers alone.
  private static func forward(
    _ layer: Int, _ unit: BatchShape, _ widths: DecoderWidths, _ t: TextConfiguration
  ) -> Double {
    let (T, isLast) = (Double(unit.tokens), layer == t.layers - 1)
    let Q = isLast ? Double(unit.answers) : T
    if t.isLinear(layer) { return T * widths.linearInputs + Q * widths.linearPerQuery }
    return T * widths.keysValues + Q * widths.perQuery + 2 * widths.queries * (isLast ? unit.answerPairs : unit.pairs)
  }

  /// Multiply-adds of one image through the tower's linear modules, its attention, and patch embedding and mergers.
  private static func vision(
    patches: Int, _ v: VisionConfiguration
  ) -> (blocks: Double, attention: Double, rest: Double) {
    let (P, H, I) = (Double(patches), Double(v.hiddenSize), Double(v.intermediateSize))
    let side = v.windowSize.map { $0 / v.patchSize / v.spatialMergeSize * v.spatialMergeSize }
    let window = side.map { min(P, Double($0 * $0)) } ?? P
    let full = Double(v.fullAttentionBlocks.count)
    let attention = 2 * P * H * (full * P + (Double(v.depth) - full) * window)
    let unit = Double(v.spatialMergeSize * v.spatialMergeSize)
    let merger = P / unit * unit * H * (unit * H + Double(v.outHiddenSize))
    let block = 4 * H * H + Double(v.mlpInputs + 1) * H * I
    return (
      Double(v.depth) * P * block, attention,
      P * H * Double(v.patchNumbers) + Double(1 + v.deepstackBlocks.count) * merger
    )
  }
}

/// A decoder layer's widths as multiply-adds.
private struct DecoderWidths {
  /// Query heads times their dimension.
  package let queries: Double
  /// k and v projections of a token.
  package let keysValues: Double
  /// With its gates, if there are any.
  package let queryProjection: Double
  package let outputProjection: Double
  package let mlp, downProjection: Double
  /// q, o and the MLP of a query token.
  package let perQuery: Double
  /// A layer of linear attention: all that goes into the rule and the rule itself, of a token; the same in backward;
  /// gate, output projection and MLP, of a query token.
  package let linearInputs, linearInputsBackward, linearPerQuery: Double
  /// The rule's backward alone, of a token; output projection and MLP, of a query token.
  package let ruleBackward, linearBehindRule: Double
  /// The head, of a token.
  package let head: Double

  package init(_ t: TextConfiguration) {
    let H = Double(t.hiddenSize)
    queries = Double(t.attentionHeads * t.headDimension)
    keysValues = 2 * H * Double(t.kvHeads * t.headDimension)
    queryProjection = H * queries * (t.outputGate ? 2 : 1)
    outputProjection = H * queries
    downProjection = H * Double(t.intermediateSize)
    mlp = 3 * downProjection
    perQuery = queryProjection + outputProjection + mlp
    let linear = t.linearAttention
    let (K, V, C) = (Double(linear.keyColumns), Double(linear.valueColumns), Double(GatedDeltaRule<Float>.usualChunk))
    let (nk, nv) = (Double(linear.keyHeads), Double(linear.valueHeads))
    let (dk, dv) = (Double(linear.keyDimension), Double(linear.valueDimension))
    // Triangles count half.
    let projections = H * (2 * K + V + 2 * nv) + Double(linear.taps) * (2 * K + V)
    linearInputs = projections + nv * (3 * dk * dv + C * dv) + nk * C * dk
    ruleBackward = nv * (7 * dk * dv + 2 * C * (dv + dk)) + nk * C * dk
    linearInputsBackward = projections + ruleBackward
    linearBehindRule = H * V + mlp
    linearPerQuery = linearBehindRule + H * V
    head = H * Double(t.vocabularySize)
  }
}

extension BatchFLOPs {
  /// The FLOPs of layers that backward computes again, since their activations do not fit into so many bytes: executed,
  /// and no model FLOPs.
  package static func recomputed(
    _ unit: BatchShape, adapter: PlannedAdapter, activations: ActivationBudget, _ configuration: ModelConfiguration
  ) -> Double {
    let text = configuration.text
    guard adapter.learns(from: unit) else { return 0 }
    let widths = DecoderWidths(text)
    return SavedActivations(unit, text, activations.precision)
      .recomputedLayers(from: adapter.lowest(text), within: activations.bytes)
      .reduce(0) { $0 + 2 * forward($1, unit, widths, text) }
  }

  /// The part of `backward` that recomputes attention's scores: FLOPs that are executed and are not model FLOPs.
  package static func repeatedScores(
    _ unit: BatchShape, budgets: LayerBudgets, _ configuration: ModelConfiguration
  ) -> Double {
    let t = configuration.text
    guard unit.visual > 0, unit.answers > 0, budgets.lowest < t.layers else { return 0 }
    let above = t.attentionLayers.filter { $0 >= budgets.lowest }
    let pairs = above.reduce(0) { $0 + ($1 == t.layers - 1 ? unit.answerPairs : unit.latePairs) }
    return 2 * Double(t.attentionHeads * t.headDimension) * pairs
  }
}
