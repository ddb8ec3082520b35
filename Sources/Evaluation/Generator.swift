// Greedy decoding: a unit in one pass, then a row a token and answer, all answers together, behind the kept keys.
import HuggingFace
import Preprocessing
import QwenVL
import Tensors
import Units

/// What a model answered.
public struct Generation: Sendable, Equatable {
  /// Without the end token.
  public var tokens: [Int32]
  /// The token that ended the answer; nil where it reached the number of tokens allowed.
  public var endToken: Int32?
}

/// Rows about the same pictures: what they have in common passes the decoder once.
public struct EvaluationUnit: Sendable {
  /// Rows with their answers, whose losses are asked for.
  public var samples: [Sample]
  /// Rows up to the answer that is asked for.
  public var prompts: [Sample]
  /// The pictures' visual tokens; see `FeatureStore`. A sample or prompt may have fewer of the pictures, the first
  /// ones.
  public var features: [Matrix<Float>]

  public init(samples: [Sample] = [], prompts: [Sample], features: [Matrix<Float>]) {
    (self.samples, self.prompts, self.features) = (samples, prompts, features)
  }
}

/// Generates answers of at most `maxNewTokens` tokens, the most likely token each time, ties to the lower id.
public struct Generator: Sendable {
  public let base: BaseModel
  public let maxNewTokens: Int

  /// - Parameter maxNewTokens: 0 where no unit has prompts.
  public init(_ base: BaseModel, maxNewTokens: Int) {
    precondition(maxNewTokens >= 0, "an answer has no negative length")
    self.base = base
    self.maxNewTokens = maxNewTokens
  }

  /// Losses of the units' samples and answers to their prompts, each in order; an adapter of visual tokens acts on
  /// nothing that is generated, one of all tokens on every token.
  ///
  /// Each unit is one pass. Then every pass takes the next token of each answer that has not ended: the last bits of a
  /// row's numbers depend on the units that it is run with, and on nothing else.
  /// - Parameter onToken: takes each token of an answer as it comes, and which prompt it answers.
  /// - Throws: `EvaluationError` for a prompt without tokens and for one that leaves no room.
  public func run(
    _ units: [EvaluationUnit], adapter: (any ProjectionAdapter<Float>)?,
    onToken: (_ prompt: Int, _ token: Int32) -> Void = { _, _ in }
  ) throws(EvaluationError) -> (losses: [RowLoss], generations: [Generation]) {
    let prompts = units.flatMap(\.prompts)
    for prompt in prompts { try checkRoom(prompt) }
    let (inputs, keys) = packed(units, adapter: adapter)
    let cache = prompts.isEmpty ? nil : KeyValueCache<Float>(capacity: keys, configuration: base.configuration.text)
    var losses: [RowLoss] = []
    var sequences: [KeyRun] = []
    var next: [Int32] = []
    for (unit, input) in zip(units, inputs) {
      let scored = input.outputRows.count
      let hidden = base.model.decoder.forward(
        input.decoderInput, outputRows: input.outputRows + input.lastRows.suffix(unit.prompts.count), adapter: adapter,
        keepTapes: .none, cache: cache
      ).hidden
      losses += base.loss(input, hidden: hidden.rows(0..<scored)).prefix(unit.samples.count)
      next += base.model.head.argmax(hidden.rows(scored..<hidden.rows))
      sequences += input.sequences.suffix(unit.prompts.count)
    }

    var generations = prompts.map { _ in Generation(tokens: [], endToken: nil) }
    /// Whether the answer goes on behind this token.
    func take(_ token: Int32, prompt: Int) -> Bool {
      guard !base.configuration.endTokenIDs.contains(token) else {
        generations[prompt].endToken = token
        return false
      }
      generations[prompt].tokens.append(token)
      onToken(prompt, token)
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
        embeddings: base.model.embed(tokens.map(\.1), visual: [], features: []),
        positions: Array(repeating: positions, count: 3), visual: [], runs: open.map { sequences[$0] })
      let pass = base.model.decoder.forward(
        input, outputRows: Array(open.indices), adapter: adapter, keepTapes: .none, cache: cache)
      next = base.model.head.argmax(pass.hidden)
    }
    return (losses, generations)
  }

  /// The units one behind the other in a cache of `keys` rows, samples before prompts.
  private func packed(
    _ units: [EvaluationUnit], adapter: (any ProjectionAdapter<Float>)?
  ) -> (inputs: [UnitInput], keys: Int) {
    var inputs: [UnitInput] = []
    var keys = 0
    for unit in units {
      let input = base.unitInput(
        unit.samples + unit.prompts, features: unit.features, adapter: adapter, firstKey: keys, room: maxNewTokens)
      inputs.append(input)
      keys = (input.sequences.last?.own.upperBound ?? keys) + maxNewTokens
    }
    return (inputs, keys)
  }

  private func checkRoom(_ prompt: Sample) throws(EvaluationError) {
    let T = prompt.inputIDs.count
    let limit = base.configuration.text.maxPositionEmbeddings
    precondition(maxNewTokens > 0 && prompt.supervisedTokens == 0, "a prompt's answer is not in it and has a length")
    guard T > 0 else { throw .emptyPrompt(row: prompt.id) }
    guard T <= limit, maxNewTokens <= limit - T else {
      throw .tooLong(row: prompt.id, promptTokens: T, newTokens: maxNewTokens, limit: limit)
    }
  }
}
