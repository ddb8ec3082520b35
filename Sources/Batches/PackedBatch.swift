// Samples that pass the decoder together: their tokens, which of them predict a supervised token, and whose loss that
// is.
import Preprocessing
import QwenVL
import Tensors

/// The images of a batch's samples, as their vision features (see `FeatureStore`).
package enum BatchImages: Sendable {
  /// All samples have the same images; a sample may have fewer, which are then the first ones.
  case shared([Matrix<Float>])
  /// Each sample has images of its own: the samples share at most the text before their first images.
  case own([[Matrix<Float>]])

  fileprivate var areShared: Bool { if case .shared = self { true } else { false } }

  fileprivate func features(ofSample index: Int) -> [Matrix<Float>] {
    switch self {
    case .shared(let features): features
    case .own(let features): features[index]
    }
  }
}

/// Samples ready to pass a model, what they share once. It depends on no adapter: whether the text prefix comes from a
/// KV cache is decided by the pass.
package struct PackedBatch: Sendable {
  /// What the samples share, then each sample's own tokens.
  let inputIDs: [Int32]  // [T]
  /// M-RoPE positions.
  let positions: [[Int32]]  // [3][T]
  /// The visual tokens, ascending.
  package let visual: [VisualSpan<Float>]
  /// The tokens that predict a supervised token, ascending.
  package let outputPositions: [Int]
  /// The token that each of them predicts.
  package let targets: [Int32]
  /// Which sample each of them belongs to.
  let sampleOfOutput: [Int]
  /// The last token of each sample, ascending: it predicts what follows the sample.
  package let lastPositions: [Int]
  package let sampleCount: Int
  /// How many of the first tokens a prefix KV cache may stand for: shared text before the first image and the first
  /// prediction, which is the same in nearly every example of a job. 0 without an image.
  package private(set) var prefixTokens: Int
  private let packing: Packing
  /// What made the features of each visual span, where backward goes on through the vision tower.
  let passes: [VisionTower<Float>.Pass]
  /// What enters a layer, `[T, H]`, where the layers below have been passed.
  private(set) var frozen: (layer: Int, states: Matrix<Float>)?
  /// Of a step's training.
  var dropout: Dropout?
  private let ids: [String]

  /// Packs samples.
  /// - Parameter passes: what made the images' features, in the order of `images`; empty for those of the frozen tower.
  /// - Precondition: every sample has a token; `images` has features of every visual span.
  package init(_ samples: [Sample], images: BatchImages, passes: [[VisionTower<Float>.Pass]] = []) {
    let packing = Packing(samples, sharesImages: images.areShared)
    var ids = [Int32](repeating: 0, count: packing.count)
    var positions = [[Int32]](repeating: ids, count: 3)
    var visual: [VisualSpan<Float>] = []
    var spanPasses: [VisionTower<Float>.Pass] = []
    var outputs: [(position: Int, target: Int32, sample: Int)] = []
    for (index, sample) in samples.enumerated() {
      let own = index == 0 ? 0 : packing.prefix
      for token in own..<sample.decisiveTokens {
        let position = packing.position(of: token, sample: index)
        ids[position] = sample.inputIDs[token]
        for axis in 0..<3 { positions[axis][position] = sample.positionIDs[axis][token] }
      }
      let ownPasses = images.areShared ? passes.first : passes.isEmpty ? nil : passes[index]
      for (image, (span, features)) in zip(sample.visualSpans, images.features(ofSample: index)).enumerated()
      where own..<sample.decisiveTokens ~= span.lowerBound {
        let start = packing.position(of: span.lowerBound, sample: index)
        visual.append(VisualSpan(tokens: start..<start + span.count, features: features))
        if let ownPasses, !ownPasses.isEmpty { spanPasses.append(ownPasses[image]) }
      }
      for token in 1..<sample.labels.count where sample.labels[token] != Sample.ignoredLabel {
        outputs.append((packing.position(of: token - 1, sample: index), sample.labels[token], index))
      }
    }
    precondition(spanPasses.isEmpty || spanPasses.count == visual.count)
    (inputIDs, self.positions, self.visual) = (ids, positions, visual)
    (self.passes, self.ids) = (spanPasses, samples.map(\.id))
    outputPositions = outputs.map(\.position)
    targets = outputs.map(\.target)
    sampleOfOutput = outputs.map(\.sample)
    lastPositions = samples.enumerated().map { packing.position(of: $1.decisiveTokens - 1, sample: $0) }
    sampleCount = samples.count
    prefixTokens = min(visual.first?.tokens.lowerBound ?? 0, outputs.first?.position ?? 0, packing.prefix)
    self.packing = packing
  }

  /// The same batch without a prefix KV cache: all tokens pass the decoder, whatever the adapter. For passes whose
  /// numbers are compared with those of an adapter of all tokens.
  package var withoutPrefixCache: PackedBatch {
    var batch = self
    batch.prefixTokens = 0
    return batch
  }

  /// The same batch for passes that begin at a layer.
  /// - Parameter states: what enters it for the tokens of each sample, `[decisiveTokens, H]`.
  func beginning(atLayer layer: Int, with states: [Matrix<Float>]) -> PackedBatch {
    precondition(states.count == sampleCount && sampleCount > 0)
    let all = Matrix<Float>(uninitialized: packing.count, states[0].columns)
    for (sample, states) in states.enumerated() {
      for token in (sample == 0 ? 0 : packing.prefix)..<states.rows {
        let position = packing.position(of: token, sample: sample)
        all.rows(position..<position + 1).assign(states.rows(token..<token + 1))
      }
    }
    var batch = self
    batch.frozen = (layer, all)
    return batch
  }

  /// The dropout of the tokens after `known`, if there is any; what samples share is the first one's.
  func tokenDropout(known: Int) -> TokenDropout? {
    guard let dropout else { return nil }
    let shared = (0..<packing.prefix).map { (id: ids[0], token: $0) }
    let own = zip(ids, packing.branches).flatMap { id, branch in
      branch.indices.map { (id: id, token: packing.prefix + $0 - branch.lowerBound) }
    }
    return dropout.tokens(Array((shared + own)[known...]))
  }

  /// The slots of the prefix and the branches; the last `sampleCount` of them are the samples' own, in order.
  /// - Parameters:
  ///   - firstKey: where in a generation's cache the batch's keys begin.
  ///   - reserved: capacity after each sample for tokens to come, in keys.
  package func slots(from firstKey: Int = 0, reserving reserved: Int = 0) -> [SequenceSlot] {
    SequenceSlot.packed(
      prefix: packing.prefix, branches: packing.branches.map(\.count), from: firstKey, reserving: reserved)
  }

  /// The same for a pass that begins after `known` tokens of the prefix.
  func slots(known: Int) -> [SequenceSlot] {
    SequenceSlot.packed(prefix: packing.prefix, branches: packing.branches.map(\.count), known: known)
  }
}
