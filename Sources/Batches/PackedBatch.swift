// Samples that pass the decoder together: their tokens, which of them predict a supervised token, and whose loss that
// is.
import Preprocessing
import QwenVL
import Tensors

/// Samples of the same images: what they share is computed once.
package struct SampleGroup {
  package let samples: [Sample]
  /// The images' vision features (see `FeatureStore`). A sample may have fewer of the images, which are then the first
  /// ones.
  package let features: [Matrix<Float>]
  /// What made the features, where backward goes on through the vision tower; otherwise empty.
  package let passes: [VisionTower<Float>.Pass]

  package init(_ samples: [Sample], features: [Matrix<Float>], passes: [VisionTower<Float>.Pass] = []) {
    precondition(passes.isEmpty || passes.count == features.count, "one pass an image")
    (self.samples, self.features, self.passes) = (samples, features, passes)
  }
}

/// Samples ready to pass a model, what they share once. It depends on no adapter: whether the text prefix comes from a
/// KV cache is decided by the pass.
package struct PackedBatch: Sendable {
  /// What samples share, then each sample's own tokens (`Packing`).
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

  /// Packs samples of one image group.
  package init(_ samples: [Sample], features: [Matrix<Float>]) {
    self.init([SampleGroup(samples, features: features)])
  }

  /// Packs image groups.
  /// - Precondition: every sample has a token, and every visual span features; all groups have passes, or none has.
  package init(_ groups: [SampleGroup]) {
    let packing = Packing(groups.map(\.samples))
    let samples = groups.flatMap(\.samples)
    let groupOfSample = groups.flatMap { group in group.samples.map { _ in group } }
    var ids: [Int32] = []
    var positions = [[Int32]](repeating: ids, count: 3)
    var visual: [VisualSpan<Float>] = []
    var passes: [VisionTower<Float>.Pass] = []
    for segment in packing.segments {
      let (sample, group) = (samples[segment.samples.lowerBound], groupOfSample[segment.samples.lowerBound])
      ids += sample.inputIDs[segment.tokens]
      for axis in 0..<3 { positions[axis] += sample.positionIDs[axis][segment.tokens] }
      for (image, (span, features)) in zip(sample.visualSpans, group.features).enumerated()
      where segment.tokens.contains(span.lowerBound) {
        let start = segment.position(of: span.lowerBound)
        visual.append(VisualSpan(tokens: start..<start + span.count, features: features))
        if !group.passes.isEmpty { passes.append(group.passes[image]) }
      }
    }
    precondition(passes.isEmpty || passes.count == visual.count)
    let outputs = samples.enumerated().flatMap { index, sample in
      sample.labels.indices.dropFirst().filter { sample.labels[$0] != Sample.ignoredLabel }.map {
        (position: packing.position(of: $0 - 1, sample: index), target: sample.labels[$0], sample: index)
      }
    }
    (inputIDs, self.positions, self.visual) = (ids, positions, visual)
    (self.passes, self.ids) = (passes, samples.map(\.id))
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
    let all = packing.segments.map { states[$0.samples.lowerBound].rows($0.tokens) }
    var batch = self
    batch.frozen = (layer, .joining(all))
    return batch
  }

  /// The dropout of the tokens after `known`, if there is any; what samples share is the first one's of them.
  func tokenDropout(known: Int) -> TokenDropout? {
    guard let dropout else { return nil }
    let tokens = packing.segments.flatMap { segment in
      segment.tokens.map { (id: ids[segment.samples.lowerBound], token: $0) }
    }
    return dropout.tokens(Array(tokens[known...]))
  }

  /// The slots of what samples share, and of each sample's own tokens. Of one image group the last `sampleCount` are
  /// the samples' own, in order.
  /// - Parameters:
  ///   - known: how many of the first tokens do not pass the decoder.
  ///   - firstKey: where in a generation's cache the batch's keys begin.
  ///   - reserved: capacity after each sample for tokens to come, in keys.
  package func slots(known: Int = 0, from firstKey: Int = 0, reserving reserved: Int = 0) -> [SequenceSlot] {
    packing.slots(known: known, from: firstKey, reserving: reserved)
  }
}
