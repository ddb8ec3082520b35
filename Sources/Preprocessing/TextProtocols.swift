// What preprocessing needs of a tokenizer and a chat template.
import Files

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

/// A message as a chat template sees it.
package struct PromptMessage: Sendable, Equatable {
  /// Text, or the place of an image.
  package enum Part: Sendable, Equatable {
    case text(String)
    case image
  }
  package var role: String
  /// One text alone goes to the template as a string, everything else as a list of parts.
  package var content: [Part]
  package init(role: String, content: [Part]) { (self.role, self.content) = (role, content) }
}

/// A chat template.
package protocol PromptRendering: Sendable {
  /// The conversation as one text, with one `<|image_pad|>` an image; throws where the template refuses it.
  /// - Parameter tools: descriptions of tools, may be empty.
  func render(_ messages: [PromptMessage], tools: [JSON], addGenerationPrompt: Bool) throws -> String
}
