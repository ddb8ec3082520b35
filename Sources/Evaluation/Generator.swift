// Decoding: a packed batch in one pass, then one token of every answer at a time, with a KV cache.
import HuggingFace
import Preprocessing
import QwenVL
import Tensors
import Batches

/// What a model answered.
package struct Generation: Sendable, Equatable {
  /// Without the end token.
  package var tokens: [Int32]
  /// The token that ended the answer; nil where it reached the number of tokens allowed.
  package var endToken: Int32?
  /// Where a stop text begins in the bytes of the tokens; nil where none ended the answer.
  package var stop: Int?

  package init(tokens: [Int32] = [], endToken: Int32? = nil, stop: Int? = nil) {
    (self.tokens, self.endToken, self.stop) = (tokens, endToken, stop)
  }

  /// Whether it ended before it reached the number of tokens allowed.
  package var isFinished: Bool { endToken != nil || stop != nil }

  /// The answer's text, to the stop text.
  package func text(_ tokenizer: Tokenizer) -> String {
    guard let stop else { return tokenizer.decode(tokens) }
    return String(decoding: tokens.flatMap { tokenizer.bytes(of: $0) }.prefix(stop), as: UTF8.self)
  }
}

/// Samples about the same images: what they have in common passes the decoder once.
package struct EvaluationGroup: Sendable {
  /// Samples with their answers, whose losses are asked for.
  package var samples: [Sample]
  /// Samples up to the answer that is asked for.
  package var prompts: [Sample]
  /// The images' vision features; see `FeatureStore`. A sample or prompt may have fewer of the images, the first ones.
  package var features: [Matrix<Float>]

  package init(samples: [Sample] = [], prompts: [Sample], features: [Matrix<Float>]) {
    (self.samples, self.prompts, self.features) = (samples, prompts, features)
  }
}

/// Generates answers of at most `maxNewTokens` tokens.
package struct Generator: Sendable {
  package let base: BaseModel
  package let maxNewTokens: Int
  package let decoding: Decoding

  /// - Parameter maxNewTokens: 0 where no unit has prompts.
  package init(_ base: BaseModel, maxNewTokens: Int, decoding: Decoding = .greedy) {
    precondition(maxNewTokens >= 0, "an answer has no negative length")
    (self.base, self.maxNewTokens, self.decoding) = (base, maxNewTokens, decoding)
  }

  /// Losses of the units' samples and answers to their prompts, each in order; an adapter of visual tokens acts on
  /// nothing that is generated, one of all tokens on every token.
  ///
  /// Each unit is one pass. Then every pass computes the next token of each answer that has not ended: the last bits of
  /// an example's numbers depend on the units that it is run with, and on nothing else.
  /// - Parameter onToken: takes each token of an answer as it comes, and which prompt it answers.
  /// - Throws: `EvaluationError` for a prompt without tokens and for one that leaves no positions for the answer.
  package func run(
    _ units: [EvaluationGroup], adapter: (any ProjectionAdapter<Float>)?,
    onToken: (_ prompt: Int, _ token: Int32) -> Void = { _, _ in }
  ) throws(EvaluationError) -> (losses: [SampleLoss], generations: [Generation]) {
    let prompts = units.flatMap(\.prompts)
    for prompt in prompts { try checkLength(prompt) }
    let batches = units.map { PackedBatch($0.samples + $0.prompts, features: $0.features) }
    if prompts.isEmpty { return (batches.flatMap { base.loss($0, adapter: adapter) }, []) }
    let (slots, keys) = placed(batches)
    let cache = KeyValueCache<Float>(capacity: keys, configuration: base.configuration.text)
    var sources = prompts.map { decoding.source(of: $0.id) }
    func chosen(_ hidden: Matrix<Float>, prompts: [Int]) -> [Int32] {
      guard decoding.temperature > 0 else { return base.model.head.argmax(hidden) }
      return base.model.head.tokens(hidden) { decoding.draw($1, &sources[prompts[$0]]) }
    }
    var losses: [SampleLoss] = []
    var sequences: [SequenceSlot] = []
    var next: [Int32] = []
    for (unit, (batch, slots)) in zip(units, zip(batches, slots)) {
      let scored = batch.outputPositions.count
      let hidden = base.hidden(
        batch, at: batch.outputPositions + batch.lastPositions.suffix(unit.prompts.count), adapter: adapter,
        slots: slots, cache: cache)
      losses += base.loss(batch, hidden: hidden.rows(0..<scored)).prefix(unit.samples.count)
      next += chosen(hidden.rows(scored..<hidden.rows), prompts: (0..<unit.prompts.count).map { next.count + $0 })
      sequences += slots.suffix(unit.prompts.count)
    }

    var generations = prompts.map { _ in Generation() }
    var texts = prompts.map { _ in [UInt8]() }
    /// Whether the answer goes on after this token.
    func take(_ token: Int32, prompt: Int) -> Bool {
      guard !base.configuration.endTokenIDs.contains(token) else {
        generations[prompt].endToken = token
        return false
      }
      generations[prompt].tokens.append(token)
      onToken(prompt, token)
      if !decoding.stops.isEmpty {
        let bytes = base.tokenizer.bytes(of: token)
        texts[prompt] += bytes
        generations[prompt].stop = decoding.end(of: texts[prompt], added: bytes.count)
        if generations[prompt].stop != nil { return false }
      }
      return generations[prompt].tokens.count < maxNewTokens
    }
    var open = Array(prompts.indices)
    while true {
      let tokens = zip(open, next).filter { take($1, prompt: $0) }
      if tokens.isEmpty { break }
      open = tokens.map(\.0)
      for prompt in open { sequences[prompt] = sequences[prompt].next }
      let positions = open.map { prompts[$0].nextPosition + Int32(generations[$0].tokens.count - 1) }
      let input = DecoderInput(
        embeddings: base.model.embed(tokens.map(\.1)), positions: Array(repeating: positions, count: 3),
        slots: open.map { sequences[$0] })
      let hidden = base.model.decoder.forward(
        input, outputPositions: Array(open.indices), adapter: adapter, past: .cache(cache))
      next = chosen(hidden, prompts: open)
    }
    return (losses, generations)
  }

  /// The slots of the batches one after the other, samples before prompts, and how many keys a cache for them has.
  private func placed(_ batches: [PackedBatch]) -> (slots: [[SequenceSlot]], keys: Int) {
    var slots: [[SequenceSlot]] = []
    var keys = 0
    for batch in batches {
      let own = batch.slots(from: keys, reserving: maxNewTokens)
      slots.append(own)
      keys = (own.last?.own.upperBound ?? keys) + maxNewTokens
    }
    return (slots, keys)
  }

  private func checkLength(_ prompt: Sample) throws(EvaluationError) {
    let T = prompt.inputIDs.count
    let limit = base.configuration.text.maxPositionEmbeddings
    precondition(maxNewTokens > 0 && prompt.supervisedTokens == 0, "a prompt's answer is not in it and has a length")
    guard T > 0 else { throw .emptyPrompt(example: prompt.id) }
    guard T <= limit, maxNewTokens <= limit - T else {
      throw .tooLong(example: prompt.id, promptTokens: T, newTokens: maxNewTokens, limit: limit)
    }
  }
}
