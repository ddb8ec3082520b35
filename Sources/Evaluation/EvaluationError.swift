// What stops an evaluation or a generation.
import Files

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

/// A signal stopped an evaluation between two batches; every rank throws it.
package struct EvaluationInterrupted: ExitStatusError, Equatable, Sendable, CustomStringConvertible {
  /// Examples whose results are complete, and all.
  package let finished, total: Int
  /// Where the predictions of the finished ones are; nil: they are lost.
  package let file: String?

  package init(finished: Int, total: Int, file: String?) {
    (self.finished, self.total, self.file) = (finished, total, file)
  }

  package var exitStatus: Int32 { ExitStatus.failed }

  package var description: String {
    "stopped by a signal after \(finished) of \(total) examples; "
      + (file.map { "their predictions are in \($0)" }
        ?? (finished == 0 ? "nothing was written" : "nothing was written; name a file with --output to keep them"))
  }

  /// The file that keeps the predictions of an evaluation that was stopped before its `output` was whole.
  package static func file(beside output: String) -> String { output + ".incomplete" }
}
