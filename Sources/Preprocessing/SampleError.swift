// An example that cannot become a sample: which one, why, and how to fix it.
import Files

/// An example's id, its line and what was wrong with it.
package struct SampleError: Error, Equatable, CustomStringConvertible {
  /// What was wrong.
  package enum Reason: Error, Equatable {
    /// An image, with the decoder's error.
    case image(PreprocessingError)
    /// No assistant's message, or each has `loss: false`.
    case noSupervisedToken
    case tooLong(tokens: Int, limit: Int)
    /// Its bytes are more than `limit` tokens hold; it was not tokenized.
    case farTooLong(fewestTokens: Int, limit: Int)
    /// The messages do not place the example's images once each, in order.
    case imageOrder(placed: [Int], images: Int)
    /// The template's text holds another number of image tokens.
    case imageTokens(found: Int, images: Int)
    /// A message's text holds a token that only the template may write.
    case visionToken(String, message: Int)
    /// `<bbox>` and `<point>`, or `<ref>`, against the example's objects.
    case placeholders(String, found: Int, objects: Int)
    /// A box of an image that the example does not have.
    case boxImage(box: Int, image: Int, images: Int)
    case boxNotFinite(box: Int)
    /// A box that does not lie on its image, and how to fix it.
    case box(index: Int, problem: String, remedy: String)
    /// The template leaves out a message's text.
    case notRendered(message: Int, role: String)
    /// The template makes the same text with and without tools.
    case noTools
    /// The template reads no `reasoning_content`.
    case noThoughts(message: Int)
    /// The template has no turns and calls of tools.
    case noToolTurns(message: Int)
    /// What the template gives generation before an answer is not how it renders a conversation with that answer.
    case templateNotIncremental(message: Int)
    /// The run sets `enable_thinking` to another value than the answer's.
    case otherThinking(message: Int, thinking: Bool)
    /// Each costs two renderings of what is before it.
    case tooManyAnswers(found: Int, limit: Int)
    /// The template's own message.
    case template(String)
  }

  package var id: String
  /// From 1.
  package var line: Int
  package var reason: Reason

  package init(id: String, line: Int, reason: Reason) { (self.id, self.line, self.reason) = (id, line, reason) }

  package var description: String { oneLine("example \(id) (line \(line)): \(reason)") }
}

extension SampleError.Reason: CustomStringConvertible {
  package var description: String {
    switch self {
    case .image(let error):
      error.description
    case .noSupervisedToken:
      "nothing is supervised; add an assistant's message without \"loss\": false"
    case .tooLong(let tokens, let limit):
      "\(tokens) tokens are more than max_length \(limit); raise it, lower max_pixels or leave the example out"
    case .farTooLong(let fewest, let limit):
      "at least \(fewest) tokens are more than max_length \(limit); leave the example out"
    case .imageOrder(let placed, let images):
      "the messages place images \(placed) of \(images); place each once, in order"
    case .imageTokens(let found, let images):
      "the chat template wrote \(found) <|image_pad|> for \(images) images; use a vision model's template"
    case .visionToken(let token, let message):
      "the text of message \(message + 1) contains \(token); write <image> where an image goes"
    case .placeholders(let name, let found, let objects):
      "\(found) \(name) in the messages for \(objects) in objects; make the numbers equal, or write \\ before a tag "
        + "that is text"
    case .boxImage(let box, let image, let images):
      "box \(box + 1) is of image \(image), the example has \(images); correct image_id"
    case .boxNotFinite(let box):
      "box \(box + 1) is not made of finite numbers; correct it"
    case .box(let index, let problem, let remedy):
      "objects.bbox[\(index)]: \(problem); \(remedy)"
    case .notRendered(let message, let role):
      "the chat template leaves out the text of message \(message + 1) (\(role)); use one that renders it"
    case .noTools:
      "the chat template renders no tools; take \"tools\" out or use a template that does"
    case .noThoughts(let message):
      "the chat template renders no reasoning_content, as message \(message + 1) has it; take it out or write it into "
        + "\"content\""
    case .noToolTurns(let message):
      "the chat template renders no turns and calls of tools, as message \(message + 1) is one; take it out or use a "
        + "template that does"
    case .templateNotIncremental(let message):
      "the chat template gives generation another text before message \(message + 1) than it writes with that answer; "
        + "use one that does not"
    case .otherThinking(let message, true):
      "the answer in message \(message + 1) has no thoughts, and model.template.enable_thinking is true; add "
        + "reasoning_content, set \"loss\" to false, or take the key out of the run file"
    case .otherThinking(let message, false):
      "the answer in message \(message + 1) has thoughts, and model.template.enable_thinking is false; take them out, "
        + "set \"loss\" to false, or take the key out of the run file"
    case .tooManyAnswers(let found, let limit):
      "the conversation has \(found) assistant turns, the limit is \(limit); split it"
    case .template(let reason):
      "chat template: \(reason)"
    }
  }
}
