// What a plan counts: a model's parameters, an adapter's heads a layer, the tokens of a unit of rows.
import Adapters
import Datasets
import HuggingFace
import QwenVL
import RunFile

/// Numbers of a model by part, as the checkpoint's table of names has them.
struct ParameterCounts: Equatable {
  /// The vision tower with its mergers.
  let vision: Int
  /// The decoder's layers and last norm.
  let decoder: Int
  let embedding: Int
  /// 0 where it is the embedding itself.
  let head: Int
  var total: Int { vision + decoder + embedding + head }

  init(_ configuration: ModelConfiguration) {
    let (v, t) = (configuration.vision, configuration.text)
    let merged = v.hiddenSize * v.spatialMergeSize * v.spatialMergeSize
    let norm = v.norm == .layer ? 2 : 1  // a width's weight, and its bias
    // Norms, fused q k v, projection, MLP, all linears with a bias.
    let block =
      2 * norm * v.hiddenSize + 4 * v.hiddenSize * (v.hiddenSize + 1)
      + v.mlpInputs * v.intermediateSize * (v.hiddenSize + 1) + v.hiddenSize * (v.intermediateSize + 1)
    let merging = merged * (merged + 1) + v.outHiddenSize * (merged + 1)
    // Deepstack's norms are as wide as the joined patches.
    let mergers = norm * v.hiddenSize + merging + v.deepstackBlocks.count * (norm * merged + merging)
    let patches = v.hiddenSize * (v.patchNumbers + (v.patchBias ? 1 : 0) + (v.positionEmbeddings ?? 0))
    vision = patches + v.depth * block + mergers
    let (queries, keys) = (t.attentionHeads * t.headDimension, t.kvHeads * t.headDimension)
    // Norms; q, k, v, o, of which o has no bias; gated MLP without.
    let layer =
      2 * t.hiddenSize + (queries + 2 * keys) * (t.hiddenSize + (t.qkvBias ? 1 : 0)) + t.hiddenSize * queries
      + 3 * t.hiddenSize * t.intermediateSize + (t.queryKeyNorm ? 2 * t.headDimension : 0)
    decoder = t.layers * layer + t.hiddenSize
    embedding = t.vocabularySize * t.hiddenSize
    head = t.tieWordEmbeddings ? 0 : embedding
  }
}

extension VisionConfiguration {
  /// Projections from a block's width to its MLP's.
  var mlpInputs: Int { mlp == .gatedSiLU ? 2 : 1 }
}

/// How many KV heads of each layer have an adapter; which ones costs nothing.
package struct LayerBudgets: Equatable {
  /// One count a layer.
  package let heads: [Int]

  package init(heads: [Int]) { self.heads = heads }

  /// Spread evenly from layer 0 on: the most layers, hence the most numbers, and the longest way back.
  package static func even(_ count: Int, _ text: TextConfiguration) -> LayerBudgets {
    let (K, L) = (min(max(count, 1), text.layers * text.kvHeads), text.layers)
    func before(_ layer: Int) -> Int { (layer * K + L - 1) / L }
    return LayerBudgets(heads: (0..<L).map { before($0 + 1) - before($0) })
  }

  /// Whole layers at the top: the fewest numbers and the shortest way back.
  static func fewestLayers(_ count: Int, _ text: TextConfiguration) -> LayerBudgets {
    var rest = min(max(count, 1), text.layers * text.kvHeads)
    var heads = [Int](repeating: 0, count: text.layers)
    for layer in heads.indices.reversed() {
      heads[layer] = min(rest, text.kvHeads)
      rest -= heads[layer]
    }
    return LayerBudgets(heads: heads)
  }

  /// What a run file's heads come to: the worst case, and where a probe will choose them the best one.
  /// - Throws: `TrainingError.selection` or `HeadSelection.FileError` for a selection file that does not fit.
  static func planned(
    _ heads: RunConfiguration.Heads, _ text: TextConfiguration
  ) throws -> (worst: LayerBudgets, best: LayerBudgets?) {
    let all = text.layers * text.kvHeads
    let budget = heads.numHeads ?? max(1, all / 4)
    func known(_ selection: Adapters.HeadSelection) -> (LayerBudgets, LayerBudgets?) {
      (LayerBudgets(heads: selection.kvIndices.map(\.count)), nil)
    }
    switch heads.select {
    case .influence, .lowest: return (even(budget, text), fewestLayers(budget, text))
    case .all: return known(.all(layers: text.layers, kvHeads: text.kvHeads))
    case .random:
      return known(.random(numHeads: budget, seed: heads.seed, layers: text.layers, kvHeads: text.kvHeads))
    case .perLayer:
      let count = min(heads.perLayer ?? 1, text.kvHeads)
      return (LayerBudgets(heads: Array(repeating: count, count: text.layers)), nil)
    case .file: return known(try readSelection(heads.file?.resolved ?? "", text))
    }
  }

  var selected: Int { heads.reduce(0, +) }
  var layers: Int { heads.count { $0 > 0 } }
  /// The lowest adapted layer, where backward ends.
  package var lowest: Int { heads.firstIndex { $0 > 0 } ?? heads.count }

  /// Trainable numbers: H r + |S_l| r D + 1 an adapted layer.
  func parameters(rank r: Int, _ text: TextConfiguration) -> Int {
    layers * (text.hiddenSize * r + 1) + selected * r * text.headDimension
  }

  /// The adapter's own multiply-adds of one forward pass, |I_v| (H r + |S_l| r D) an adapted layer; backward is twice.
  func multiplyAdds(visualTokens: Int, rank r: Int, _ text: TextConfiguration) -> Double {
    Double(visualTokens) * Double(layers * text.hiddenSize * r + selected * r * text.headDimension)
  }
}

/// Standard LoRA of the same rank on q, k, v and o of every layer and all tokens: what users compare with.
enum StandardLoRA {
  /// in r + r out, summed over the four matrices of all layers; also the multiply-adds of one token.
  static func parameters(rank r: Int, _ text: TextConfiguration) -> Int {
    PlannedAdapter.lora(Projection.allCases, rank: r).parameters(text)
  }
}

/// One row as the decoder sees it.
struct RowShape: Equatable {
  let tokens: Int
  let visual: Int
  /// Tokens before the first picture: they have no backward.
  let first: Int
  /// Tokens that rows of the same pictures share, to the end of the last picture; 0 without pictures.
  let shared: Int
  /// Supervised tokens.
  let answers: Int
  /// Patches of each picture.
  let pictures: [Int]
}

/// Rows that are computed together behind their common pictures.
package struct UnitShape: Equatable {
  package let rows: Int
  /// Tokens that pass the decoder.
  package let tokens: Int
  package let visual: Int
  package let answers: Int
  /// Tokens before the first picture; all of them where there is none.
  package let first: Int
  /// Pairs of a query and a key it sees: all queries; those from the first picture on; of these, with such a key.
  package let pairs, latePairs, keptPairs: Double
  /// Pairs of the answers' queries alone.
  package let answerPairs: Double
  package let pictures: [Int]

  init(_ members: [RowShape]) {
    func triangle(_ n: Int) -> Double { Double(n) * Double(n + 1) / 2 }
    let repeats = members.count - 1
    let (shared, early) = (members.map(\.shared).min() ?? 0, members.map(\.first).min() ?? 0)
    rows = members.count
    tokens = members.reduce(0) { $0 + $1.tokens } - repeats * shared
    visual = members.first?.visual ?? 0
    answers = members.reduce(0) { $0 + $1.answers }
    first = early
    pairs = members.reduce(0) { $0 + triangle($1.tokens) } - Double(repeats) * triangle(shared)
    latePairs = pairs - triangle(early)
    keptPairs =
      members.reduce(0) { $0 + triangle($1.tokens - early) }
      - Double(repeats) * triangle(max(0, shared - early))
    // Answers lie at the end: they see nearly the whole row.
    answerPairs = members.reduce(0) { $0 + Double($1.answers) * Double($1.tokens) }
    pictures = members.first?.pictures ?? []
  }

  /// Units of one pass of the decoder.
  init(joining units: [UnitShape]) {
    func sum<Number: AdditiveArithmetic>(_ part: KeyPath<UnitShape, Number>) -> Number {
      units.reduce(.zero) { $0 + $1[keyPath: part] }
    }
    (rows, tokens, visual, answers, first) = (sum(\.rows), sum(\.tokens), sum(\.visual), sum(\.answers), sum(\.first))
    (pairs, latePairs, keptPairs, answerPairs) = (sum(\.pairs), sum(\.latePairs), sum(\.keptPairs), sum(\.answerPairs))
    pictures = units.flatMap(\.pictures)
  }
}
