// What a template must render of a conversation: every text, tools and their calls, and the thoughts that are learned.
import Datasets
import Files

extension Conversation {
  /// A message's texts in the order of reading.
  static func texts(of message: Message) -> [String] {
    [message.thoughts].compactMap(\.self)
      + message.content.compactMap { part in
        if case .text(let text) = part { text } else { nil }
      }
  }

  /// What a template must render of the messages' texts: all but white space. Calls `body` with a text's bytes of that.
  func eachInk(
    _ thoughts: TemplateThoughts, _ body: (_ ink: [UInt8]) throws(SampleError.Reason) -> Void
  ) throws(SampleError.Reason) {
    for index in messages.indices {
      for text in texts(ofMessage: index, thoughtsOf: [], thoughts) { try body(Self.ink(of: text)) }
    }
  }

  /// A message's texts that a template must render, which may leave out all thoughts but those of the answers that are
  /// learned.
  private func texts(ofMessage index: Int, thoughtsOf learned: Set<Int>, _ thoughts: TemplateThoughts) -> [String] {
    let message = messages[index]
    var texts = Self.texts(of: message)
    guard thoughts.areRendered, message.role == .assistant, !learned.contains(index) else { return texts }
    if message.thoughts != nil { texts.removeFirst() }
    let end = ByteSearch(TemplateThoughts.end.utf8)
    guard let last = texts.lastIndex(where: { end.isPart(of: $0) }) else { return texts }
    return [thoughts.answer(in: texts[last])] + texts[(last + 1)...]
  }

  /// A text without white space, as Python's `strip` knows it.
  private static func ink(of text: String) -> [UInt8] {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.filter { $0 > 0x20 } }
    var ink: [UInt8] = []
    ink.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars where scalar.value > 0x20 && !scalar.properties.isWhitespace {
      ink.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
    }
    return ink
  }

  /// Refuses what the template has no place for, by name.
  func checkFeatures(of template: any PromptRendering) throws(SampleError.Reason) {
    if !template.thoughts.areRendered, let index = messages.firstIndex(where: { $0.thoughts?.isEmpty == false }) {
      throw .noThoughts(message: index)
    }
    if !template.rendersTools,
      let index = messages.firstIndex(where: { $0.role == .tool || !$0.toolCalls.isEmpty })
    {
      throw .noToolTurns(message: index)
    }
  }

  /// Throws unless tools and their calls change the text.
  /// - Parameter isPrompt: whether the text ends with a prompt.
  func checkTools(
    _ all: [UInt8], _ template: any PromptRendering, thinking: Bool?, isPrompt: Bool = false
  ) throws(SampleError.Reason) {
    let rendered = RenderedConversation(self, template)
    if !tools.isEmpty {
      let without =
        isPrompt
        ? try rendered.prompt(before: messages.count, thinking: thinking, tools: [])
        : try rendered.whole(thinking: thinking, tools: [])
      guard without != all else { throw .noTools }
    }
    guard let index = messages.firstIndex(where: { !$0.toolCalls.isEmpty }) else { return }
    guard try rendered.withoutCalls(count: messages.count, prompts: isPrompt, thinking: thinking) != all else {
      throw .noToolTurns(message: index)
    }
  }

  /// A template may move white space and must not leave out a text: one that expects strings renders a list as nothing.
  /// It may leave out thoughts but for those of the answers that are learned here.
  func checkTexts(
    in rendered: [UInt8], thoughtsOf learned: Set<Int>, _ template: any PromptRendering
  ) throws(SampleError.Reason) {
    let ink = Self.ink(of: String(decoding: rendered, as: UTF8.self))
    var start = 0
    for (index, message) in messages.enumerated() {
      for text in texts(ofMessage: index, thoughtsOf: learned, template.thoughts) {
        let search = ByteSearch(Self.ink(of: text))
        guard let found = ink.withUnsafeBufferPointer({ search.first(in: $0, from: start) }) else {
          throw .notRendered(message: index, role: message.role.rawValue)
        }
        start = found + search.count
      }
    }
  }
}
