// A model folder's tokenizer and chat template as preprocessing takes them.
import Files
import HuggingFace

extension Tokenizer: TextEncoding {}

extension ChatTemplate: PromptRendering {
  package func render(_ messages: [PromptMessage], tools: [JSON], addGenerationPrompt: Bool) throws -> String {
    let messages = messages.map { message in
      Message(
        role: message.role,
        content: message.content.map { part in
          switch part {
          case .text(let text): .text(text)
          case .image: .image
          }
        })
    }
    return try render(messages, tools: tools, addGenerationPrompt: addGenerationPrompt)
  }
}
