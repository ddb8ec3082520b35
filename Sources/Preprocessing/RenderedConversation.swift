// A conversation's renderings: what generation is given before an answer, and the text to the answer's end.
import Datasets
import Files
import HuggingFace

/// An answer in a conversation that ends with it.
struct RenderedTurn {
  /// What generation is given.
  let prompt: [UInt8]
  /// The conversation to the end of the answer's turn.
  let text: [UInt8]
  /// Whether the prompt asks for thoughts, where a template lets that be chosen; nil: as the run says.
  let thinking: Bool?
  /// Whether the text is what generation is given and more.
  let fits: Bool
  /// Why it must not be learned nevertheless.
  let failure: SampleError.Reason?
}

/// Renders the beginnings of a conversation.
struct RenderedConversation {
  private let messages: [Message]
  private let tools: [JSON]
  private let template: any PromptRendering

  init(_ conversation: Conversation, _ template: any PromptRendering) {
    (messages, tools, self.template) = (conversation.messages, conversation.tools, template)
  }

  /// The whole conversation, without a prompt for another answer.
  func whole(thinking: Bool?, tools: [JSON]? = nil) throws(SampleError.Reason) -> [UInt8] {
    try render(messages.count, prompts: false, thinking, tools: tools)
  }

  /// What generation is given before message `count`.
  func prompt(before count: Int, thinking: Bool?, tools: [JSON]? = nil) throws(SampleError.Reason) -> [UInt8] {
    try render(count, prompts: true, thinking, tools: tools)
  }

  /// The whole conversation without calls of tools.
  func withoutCalls(count: Int, prompts: Bool, thinking: Bool?) throws(SampleError.Reason) -> [UInt8] {
    try render(count, prompts: prompts, thinking, tools: nil, keepsCalls: false)
  }

  /// An answer's prompt and text.
  ///
  /// Where a template lets callers choose whether the model thinks and the run does not say, an answer has the prompt
  /// that leaves least of its text to be generated: one that closes the thoughts belongs to an answer without any.
  /// Where both leave the same, the row's thoughts decide.
  func turn(_ index: Int) throws(SampleError.Reason) -> RenderedTurn {
    let thoughts = template.thoughts
    if thoughts.canBeChosen {
      let has = messages[index].hasThoughts
      let own = try turn(index, thinking: has)
      let other = try turn(index, thinking: !has)
      return other.isCloser(than: own) ? other : own
    }
    let given = try turn(index, thinking: nil)
    guard let chosen = thoughts.chosen else { return given }
    let other = try turn(index, thinking: !chosen)
    guard other.isCloser(than: given) else { return given }
    return RenderedTurn(
      prompt: given.prompt, text: given.text, thinking: nil, fits: given.fits,
      failure: .otherThinking(message: index, thinking: chosen))
  }

  private func turn(_ index: Int, thinking: Bool?) throws(SampleError.Reason) -> RenderedTurn {
    let prompt = try prompt(before: index, thinking: thinking)
    let text = try render(index + 1, prompts: false, thinking, tools: nil)
    return RenderedTurn(
      prompt: prompt, text: text, thinking: thinking, fits: text.starts(with: prompt), failure: nil)
  }

  private func render(
    _ count: Int, prompts: Bool, _ thinking: Bool?, tools: [JSON]?, keepsCalls: Bool = true
  ) throws(SampleError.Reason) -> [UInt8] {
    let messages = messages[..<count].map { message in
      ChatTemplate.Message(
        role: message.role.rawValue,
        content: message.content.map { part in
          switch part {
          case .text(let text): .text(text)
          case .image: .image
          }
        }, thoughts: message.thoughts, toolCalls: keepsCalls ? message.toolCalls : [], callID: message.callID)
    }
    do {
      return Array(
        try template.render(messages, tools: tools ?? self.tools, addGenerationPrompt: prompts, thinking: thinking)
          .utf8)
    } catch {
      throw .template("\(error)")
    }
  }
}

extension RenderedTurn {
  /// Whether this prompt leaves less of its text to be generated.
  fileprivate func isCloser(than other: RenderedTurn) -> Bool {
    fits && (!other.fits || text.count - prompt.count < other.text.count - other.prompt.count)
  }
}

extension Message {
  /// Whether the row says that the assistant thought, in either form.
  fileprivate var hasThoughts: Bool {
    if let thoughts { return thoughts.utf8.contains { $0 > 0x20 } }
    let end = ByteSearch(TemplateThoughts.end.utf8)
    return content.contains { part in
      if case .text(let text) = part { end.isPart(of: text) } else { false }
    }
  }
}
