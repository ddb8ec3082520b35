// A model folder's tokenizer and chat template as preprocessing takes them.
import Files
import HuggingFace

extension Tokenizer: TextEncoding {}

extension ChatTemplate: PromptRendering {
  package func render(
    _ messages: [PromptMessage], tools: [JSON], addGenerationPrompt: Bool, thinking: Bool?
  ) throws -> String {
    let messages = messages.map { message in
      Message(
        role: message.role,
        content: message.content.map { part in
          switch part {
          case .text(let text): .text(text)
          case .image: .image
          }
        }, thoughts: message.thoughts, toolCalls: message.toolCalls, callID: message.callID)
    }
    return try render(messages, tools: tools, addGenerationPrompt: addGenerationPrompt, thinking: thinking)
  }

  package var thoughts: TemplateThoughts {
    let chosen: Bool? = if case .bool(let value)? = variables[Self.thinkingVariable] { value } else { nil }
    return TemplateThoughts(
      areRendered: readsAttribute("reasoning_content"),
      canBeChosen: reads(Self.thinkingVariable) && variables[Self.thinkingVariable] == nil, chosen: chosen)
  }

  package var rendersTools: Bool { reads("tools") && readsAttribute("tool") }
}
