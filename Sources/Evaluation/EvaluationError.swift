// What stops an evaluation or a generation.

/// Why an answer cannot be generated.
package enum EvaluationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The chat template rendered nothing.
  case emptyPrompt(example: String)
  /// Prompt and answer would not fit the positions that the model knows.
  case tooLong(example: String, promptTokens: Int, newTokens: Int, limit: Int)

  package var description: String {
    switch self {
    case .emptyPrompt(let example):
      "example \(example): the prompt has no tokens; use a chat template that writes the messages"
    case .tooLong(let example, let promptTokens, let newTokens, let limit):
      "example \(example): \(promptTokens) tokens of prompt and \(newTokens) new ones are more than "
        + "max_position_embeddings \(limit); lower --max-new-tokens or max_pixels"
    }
  }
}
