// Greedy decoding: the prompt in one pass, then a row a token behind the kept keys and values.
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

/// Generates answers of at most `maxNewTokens` tokens, the most likely token each time, ties to the lower id.
public struct Generator: Sendable {
  public let base: BaseModel
  public let maxNewTokens: Int

  public init(_ base: BaseModel, maxNewTokens: Int) {
    precondition(maxNewTokens > 0, "an answer has room for a token")
    self.base = base
    self.maxNewTokens = maxNewTokens
  }

  /// The answer to a prompt; an adapter acts on the prompt's visual tokens and on nothing that is generated.
  /// - Parameters:
  ///   - features: the pictures' visual tokens; see `FeatureStore`.
  ///   - onToken: takes each token of the answer as it comes.
  /// - Throws: `EvaluationError` for a prompt without tokens and for one that leaves no room.
  public func generate(
    _ prompt: Sample, features: [Matrix<Float>], adapter: (any ValueAdapter<Float>)?,
    onToken: (Int32) -> Void = { _ in }
  ) throws(EvaluationError) -> Generation {
    let T = prompt.inputIDs.count
    let limit = base.configuration.text.maxPositionEmbeddings
    guard T > 0 else { throw .emptyPrompt(row: prompt.id) }
    guard T <= limit, maxNewTokens <= limit - T else {
      throw .tooLong(row: prompt.id, promptTokens: T, newTokens: maxNewTokens, limit: limit)
    }
    let cache = KeyValueCache<Float>(capacity: T + maxNewTokens, configuration: base.configuration.text)
    var input = DecoderInput(
      embeddings: base.model.embed(prompt.inputIDs, visual: prompt.visualSpans, features: features),
      positions: prompt.positionIDs, visual: prompt.visualSpans)
    var generation = Generation(tokens: [], endToken: nil)
    while generation.tokens.count < maxNewTokens {
      let pass = base.model.decoder.forward(
        input, outputRows: [input.embeddings.rows - 1], adapter: adapter, keepTapes: .none, cache: cache)
      let token = base.model.head.argmax(pass.hidden)[0]
      guard !base.configuration.endTokenIDs.contains(token) else {
        generation.endToken = token
        break
      }
      let position = prompt.nextPosition + Int32(generation.tokens.count)
      input = DecoderInput(
        embeddings: base.model.embed([token], visual: [], features: []),
        positions: Array(repeating: [position], count: 3), visual: [])
      generation.tokens.append(token)
      onToken(token)
    }
    return generation
  }
}
