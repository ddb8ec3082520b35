// A packed batch through the model: its samples' losses, and the gradients that an adapter takes on the way back.
import QwenVL
import Tensors

/// The loss of one sample.
package struct SampleLoss: Sendable, Equatable, Codable {
  /// Sum of the negative log-likelihoods of its supervised tokens.
  package var nll: Double
  /// How many supervised tokens there are, and how many of them are the top-1 token.
  package var tokens, top1: Int
}

extension BaseModel {
  /// Losses of a batch's samples.
  package func loss(_ batch: PackedBatch, adapter: (any ProjectionAdapter<Float>)?) -> [SampleLoss] {
    loss(batch, hidden: hidden(batch, adapter: adapter))
  }

  /// The same from the normed hidden states at the batch's output positions, `[outputs, H]`.
  package func loss(_ batch: PackedBatch, hidden: Matrix<Float>) -> [SampleLoss] {
    sampleLosses(batch, model.head.loss(hidden, targets: batch.targets))
  }

  /// Losses of a batch's samples; the adapter takes the gradient of the sum of all their tokens' NLL.
  /// - Parameter activationBytes: how much forward may save for backward; see `Decoder.forwardSavingActivations`.
  package func lossAndGradient(
    _ batch: PackedBatch, adapter: any ProjectionAdapter<Float>, activationBytes: Int = .max
  ) -> [SampleLoss] {
    let pass = forwardSavingActivations(batch, adapter: adapter, activationBytes: activationBytes)
    let (losses, dHidden) = model.head.lossAndGradient(pass.hidden, targets: batch.targets)
    let dFeatures = model.decoder.backward(dHidden, pass: pass, adapter: adapter)
    if let tower = adapter.tower { backward(dFeatures, through: tower, of: batch) }
    return sampleLosses(batch, losses)
  }

  /// Losses of a batch's samples; each adapter takes the gradient of the sum of one sample's tokens' NLL.
  /// - Parameters:
  ///   - adapters: one for each sample; see `Decoder.backward(_:pass:separately:)`.
  ///   - activationBytes: how much forward may save for backward; see `Decoder.forwardSavingActivations`.
  package func lossAndSeparateGradients(
    _ batch: PackedBatch, adapters: [any ProjectionAdapter<Float>], activationBytes: Int = .max
  ) -> [SampleLoss] {
    precondition(adapters.count == batch.sampleCount && !adapters.isEmpty)
    let pass = forwardSavingActivations(batch, adapter: adapters[0], activationBytes: activationBytes)
    let (losses, dHidden) = model.head.lossAndGradient(pass.hidden, targets: batch.targets)
    model.decoder.backward(dHidden, pass: pass, separately: adapters)
    return sampleLosses(batch, losses)
  }

  /// From the gradients of the visual spans' features; an image in several spans has the sum of theirs.
  private func backward(_ dFeatures: [Matrix<Float>], through tower: any TowerAdapter<Float>, of batch: PackedBatch) {
    precondition(dFeatures.isEmpty || dFeatures.count == batch.passes.count, "the batch was made for the frozen tower")
    var sums: [(pass: VisionTower<Float>.Pass, gradient: Matrix<Float>)] = []
    for (pass, gradient) in zip(batch.passes, dFeatures) {
      if let known = sums.first(where: { $0.pass === pass }) {
        known.gradient.add(gradient)
      } else {
        sums.append((pass, gradient))
      }
    }
    for (pass, gradient) in sums { model.vision.backward(gradient, pass: pass, adapter: tower) }
  }

  // MARK: - Through the decoder

  /// Normed hidden states at the batch's output positions, `[outputs, H]`.
  package func hidden(_ batch: PackedBatch, adapter: (any ProjectionAdapter<Float>)?) -> Matrix<Float> {
    let (input, outputs, prefix) = tokensToCompute(batch, adapter)
    return model.decoder.forward(
      input, outputPositions: outputs, adapter: adapter, past: prefix.map(Past.prefix) ?? .none)
  }

  /// The same with the activations that backward needs.
  package func forwardSavingActivations(
    _ batch: PackedBatch, adapter: any ProjectionAdapter<Float>, activationBytes: Int = .max
  ) -> Decoder<Float>.Pass {
    let (input, outputs, prefix) = tokensToCompute(batch, adapter)
    return model.decoder.forwardSavingActivations(
      input, outputPositions: outputs, adapter: adapter, prefix: prefix, maximumBytes: activationBytes)
  }

  /// Normed hidden states at `positions`, `[positions, H]`, of a batch that a generation begins with: all tokens pass
  /// the decoder, and their keys and values go into `cache` where `slots` say.
  package func hidden(
    _ batch: PackedBatch, at positions: [Int], adapter: (any ProjectionAdapter<Float>)?, slots: [SequenceSlot],
    cache: KeyValueCache<Float>
  ) -> Matrix<Float> {
    model.decoder.forward(
      input(batch, from: 0, slots: slots), outputPositions: positions, adapter: adapter, past: .cache(cache))
  }

  /// What of a batch passes the decoder: all tokens, or those after a prefix that does not depend on the adapter. One
  /// of all tokens acts on the prefix too.
  private func tokensToCompute(
    _ batch: PackedBatch, _ adapter: (any ProjectionAdapter<Float>)?
  ) -> (input: DecoderInput<Float>, outputPositions: [Int], prefix: PrefixKVCache<Float>?) {
    let known = adapter?.tokens == .all ? 0 : batch.prefixTokens
    return (
      input(batch, from: known, slots: batch.slots(known: known)), batch.outputPositions.map { $0 - known },
      known > 0 ? prefixKVCache(batch, known) : nil
    )
  }

  private func input(_ batch: PackedBatch, from first: Int, slots: [SequenceSlot]) -> DecoderInput<Float> {
    let visual = batch.visual.map { $0.moved(back: first) }
    let embeddings =
      batch.frozen.map { $0.states.rows(first..<$0.states.rows) }
      ?? model.embed(Array(batch.inputIDs[first...]), visual: visual)
    return DecoderInput(
      embeddings: embeddings, positions: batch.positions.map { Array($0[first...]) }, visual: visual, slots: slots,
      dropout: batch.tokenDropout(known: first), firstLayer: batch.frozen?.layer ?? 0)
  }

  private func prefixKVCache(_ batch: PackedBatch, _ count: Int) -> PrefixKVCache<Float> {
    let (ids, positions) = (Array(batch.inputIDs[..<count]), batch.positions.map { Array($0[..<count]) })
    return prefixKVCaches.cache(ids, positions: positions) {
      model.decoder.prefixKVCache(model.embed(ids), positions: positions)
    }
  }

  private func sampleLosses(_ batch: PackedBatch, _ tokens: [TokenLoss]) -> [SampleLoss] {
    var losses = Array(repeating: SampleLoss(nll: 0, tokens: 0, top1: 0), count: batch.sampleCount)
    for (sample, token) in zip(batch.sampleOfOutput, tokens) {
      losses[sample].nll += token.nll
      losses[sample].tokens += 1
      losses[sample].top1 += token.isTop1 ? 1 : 0
    }
    return losses
  }
}
