// The layers below the lowest adapted one, each example by itself: what leaves them is computed once and cached.
import Datasets
import Digests
import Preprocessing
import QwenVL
import Tensors

/// A sample's tokens up to the end of its last image, whose keys and values the tokens behind it need.
private struct FrozenPrefix {
  let part: HiddenStateStore.Part
  let states: Matrix<Float>
  let cache: KeyValueCache<Float>
}

extension BaseModel {
  /// What enters a layer for each token of samples up to its last prediction, `[decisiveTokens, H]` each, without an
  /// adapter.
  ///
  /// The tokens up to the end of the last image pass the layers below by themselves, and those behind them as well: the
  /// bits are a function of the sample alone, whatever is cached and whatever else is computed. Samples with the same
  /// images should be neighbours: their image passes once.
  /// - Throws: `SampleError` for an image that can no longer be read or has changed.
  func hiddenStates(
    of rows: [Example], samples: [Sample], before layer: Int
  ) throws(SampleError) -> [Matrix<Float>] {
    let capacity = samples.map(\.decisiveTokens).max() ?? 0
    var prefix: FrozenPrefix?
    var all: [Matrix<Float>] = []
    for (row, sample) in zip(rows, samples) {
      let images = try featureStore.identities(of: row, sample: sample)
      let parts = frozenParts(of: sample, images: images, before: layer)
      let width = configuration.text.hiddenSize
      let known = parts.compactMap { hiddenStateStore.find($0.part, rows: $0.tokens.count, columns: width) }
      if known.count == parts.count {
        hiddenStateStore.count(known: sample.decisiveTokens, computed: 0)
        all.append(.joining(known))
        continue
      }
      let spans = zip(sample.visualSpans, try featureStore.features(of: row, sample: sample)).map {
        VisualSpan(tokens: $0.0, features: $0.1)
      }
      let (first, own) = (parts[0], parts.dropFirst().first)
      var computed = own?.tokens.count ?? 0
      if prefix?.part != first.part {
        let cache = KeyValueCache<Float>(capacity: capacity, configuration: configuration.text)
        let slots = SequenceSlot.packed(prefix: first.tokens.count)
        let states = pass(sample, first.tokens, spans, slots, before: layer, cache)
        hiddenStateStore.keep(states, of: first.part)
        computed += first.tokens.count
        prefix = FrozenPrefix(part: first.part, states: states, cache: cache)
      }
      guard let prefix else { preconditionFailure("a sample has tokens") }
      var states = [prefix.states]
      if let own {
        let prefixTokens = first.tokens.count
        let slots = SequenceSlot.packed(prefix: prefixTokens, branches: [own.tokens.count], known: prefixTokens)
        states.append(pass(sample, own.tokens, [], slots, before: layer, prefix.cache))
        hiddenStateStore.keep(states[1], of: own.part)
      }
      hiddenStateStore.count(known: sample.decisiveTokens - computed, computed: computed)
      all.append(.joining(states))
    }
    return all
  }

  /// The tokens up to the end of the last image, and those behind it; one part where either has none.
  private func frozenParts(
    of sample: Sample, images: [String], before layer: Int
  ) -> [(tokens: Range<Int>, part: HiddenStateStore.Part)] {
    let count = sample.decisiveTokens
    let shared = sample.visualSpans.last { $0.lowerBound < count }.map { min($0.upperBound, count) } ?? 0
    let tokens = shared > 0 && shared < count ? [0..<shared, shared..<count] : [0..<count]
    return tokens.map { tokens in
      var digest = SHA256()
      digest.update("\(images.joined(separator: "\n"))\n\(tokens)\n")
      sample.inputIDs[..<tokens.upperBound].withUnsafeBytes { digest.update($0) }
      return (tokens, HiddenStateStore.Part(layer: layer, digest: digest.finish()))
    }
  }

  /// Some tokens of a sample through the layers below one.
  private func pass(
    _ sample: Sample, _ tokens: Range<Int>, _ spans: [VisualSpan<Float>], _ slots: [SequenceSlot], before layer: Int,
    _ cache: KeyValueCache<Float>
  ) -> Matrix<Float> {
    let visual = spans.filter { tokens.contains($0.tokens.lowerBound) }
    let input = DecoderInput(
      embeddings: model.embed(Array(sample.inputIDs[tokens]), visual: visual),
      positions: sample.positionIDs.map { Array($0[tokens]) }, visual: visual, slots: slots)
    return model.decoder.hiddenStates(input, before: layer, cache: cache)
  }
}
