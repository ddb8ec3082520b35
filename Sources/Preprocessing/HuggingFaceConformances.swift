// A model folder's tokenizer and chat template as preprocessing takes them.
import Files
import HuggingFace

extension Tokenizer: TextEncoding {}

extension ChatTemplate: PromptRendering {
  package var thoughts: TemplateThoughts {
    let chosen: Bool? = if case .bool(let value)? = variables[Self.thinkingVariable] { value } else { nil }
    return TemplateThoughts(
      areRendered: readsAttribute("reasoning_content"),
      canBeChosen: reads(Self.thinkingVariable) && variables[Self.thinkingVariable] == nil, chosen: chosen)
  }

  package var rendersTools: Bool { reads("tools") && readsAttribute("tool") }
}
