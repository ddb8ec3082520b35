// What preprocessing needs of a tokenizer and a chat template.
import Files
import HuggingFace

/// A tokenizer that recognises its special tokens in text.
package protocol TextEncoding: Sendable {
  /// Token ids of a text, nothing added.
  func encode(_ text: String) -> [Int32]
  /// A number of tokens that a text surely has at least, found without tokenizing it; 0 where none is known.
  /// - Parameter isWhole: whether these are the text's bytes, and not some of them in their order.
  func fewestTokens(of bytes: [UInt8], isWhole: Bool) -> Int
  /// The id of a whole token, such as `<|image_pad|>`.
  func id(of token: String) -> Int32?
}

extension TextEncoding {
  package func fewestTokens(of bytes: [UInt8], isWhole: Bool) -> Int { 0 }
}

/// What a template does with an assistant's thoughts.
package struct TemplateThoughts: Sendable, Equatable {
  /// Whether it renders `reasoning_content`; it then takes what stands before `</think>` in a content for thoughts, and
  /// may leave the thoughts of earlier answers out.
  package var areRendered = false
  /// Whether a caller can say if the model shall think, by `enable_thinking`.
  package var canBeChosen = false
  /// What the run says of it; nil where it leaves the choice to each answer.
  package var chosen: Bool?
  package init(areRendered: Bool = false, canBeChosen: Bool = false, chosen: Bool? = nil) {
    (self.areRendered, self.canBeChosen, self.chosen) = (areRendered, canBeChosen, chosen)
  }

  /// Behind which a text that the model wrote is its answer.
  static let end = "</think>"

  /// The answer in a text of the model: what follows its thoughts, where the template knows thoughts.
  package func answer(in text: String) -> String {
    guard areRendered, let last = ByteSearch(Self.end.utf8).last(in: text) else { return text }
    let answer = text.utf8.dropFirst(last + Self.end.utf8.count).drop { $0 == UInt8(ascii: "\n") }
    return String(decoding: answer, as: UTF8.self)
  }
}

/// A chat template.
package protocol PromptRendering: Sendable {
  /// The conversation as one text, with one `<|image_pad|>` an image; throws where the template refuses it.
  /// - Parameters:
  ///   - tools: descriptions of tools, may be empty.
  ///   - thinking: whether the model shall think, where that can be chosen; nil: as the run says.
  func render(
    _ messages: [ChatTemplate.Message], tools: [JSON], addGenerationPrompt: Bool, thinking: Bool?
  ) throws -> String
  var thoughts: TemplateThoughts { get }
  /// Whether it renders turns and calls of tools.
  var rendersTools: Bool { get }
}

extension PromptRendering {
  package var thoughts: TemplateThoughts { TemplateThoughts() }
  package var rendersTools: Bool { false }
}
