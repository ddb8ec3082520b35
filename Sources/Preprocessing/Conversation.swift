// A conversation as the pieces of text that are tokenised one by one, so that training sees the ids of generation.
import Datasets
import Files

/// A stretch of the rendered text.
struct Piece: Equatable {
  var text: String
  /// An answer with the end of its turn.
  var supervised: Bool
}

/// Renders messages and cuts the text where answers begin and end.
struct Conversation {
  /// Tokens that place images: only the template may write them.
  private static let visionTokens = [
    "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", SampleBuilder.imageToken, "<|video_pad|>",
  ].map { (text: $0, search: ByteSearch($0.utf8)) }

  let messages: [Message]
  let tools: [JSON]

  /// Throws where the messages do not place `images` images once each in order, or write vision tokens themselves.
  init(_ messages: [Message], tools: [JSON] = [], images: Int) throws(SampleError.Reason) {
    for (index, message) in messages.enumerated() {
      for case .text(let text) in message.content {
        // Bytes, as tokenizers see them: to Swift a combining mark would hide the token's last letter.
        guard text.holds(UInt8(ascii: "<")) else { continue }
        if let token = Self.visionTokens.first(where: { $0.search.isPart(of: text) }) {
          throw .visionToken(token.text, message: index)
        }
      }
    }
    (self.messages, self.tools) = (messages, tools)
    let placed = placedImages
    guard placed.elementsEqual(0..<images) else { throw .imageOrder(placed: placed, images: images) }
  }

  private init(beginning messages: ArraySlice<Message>, tools: [JSON]) {
    (self.messages, self.tools) = (Array(messages), tools)
  }

  /// Which images the messages place, in order.
  var placedImages: [Int] {
    messages.flatMap(\.content).compactMap { part in
      if case .image(let index) = part { index } else { nil }
    }
  }

  /// Everything before the last answer, and that answer's text; the whole conversation and nil where there is none.
  func beforeLastAnswer() -> (conversation: Conversation, answer: String?) {
    guard let last = messages.lastIndex(where: { $0.role == .assistant }) else { return (self, nil) }
    let words = messages[last].content.map { part in
      if case .text(let text) = part { text } else { "" }
    }
    return (Conversation(beginning: messages[..<last], tools: tools), words.joined())
  }

  /// Rendering the text before each of more answers would take long.
  private static let mostAnswers = 1000

  /// The rendered text, cut before each answer and after the end of its turn.
  ///
  /// The text up to an answer must be what generation is given, and what follows must not change it: otherwise
  /// training would teach a text that generation never sees, and `templateNotIncremental` is thrown.
  /// `check` may refuse the whole text before more is made of it: each answer costs two more renderings.
  func pieces(
    _ template: any PromptRendering, addGenerationPrompt: Bool,
    check: (_ rendered: [UInt8]) throws(SampleError.Reason) -> Void = { _ in }
  ) throws(SampleError.Reason) -> [Piece] {
    let all = try render(messages.count, template, addGenerationPrompt)
    try check(all)
    try checkTexts(in: all)
    if !tools.isEmpty {
      guard try render(messages.count, template, addGenerationPrompt, tools: []) != all else { throw .noTools }
    }
    let answers = messages.count { $0.role == .assistant }
    guard answers <= Self.mostAnswers else { throw .tooManyAnswers(found: answers, limit: Self.mostAnswers) }
    var pieces: [Piece] = []
    var start = 0
    for (index, message) in messages.enumerated() where message.role == .assistant {
      let before = try render(index, template, true)
      let after = try render(index + 1, template, false)
      guard all.starts(with: after), after.starts(with: before), before.count >= start else {
        throw .templateNotIncremental(message: index)
      }
      pieces.append(Piece(text: String(decoding: all[start..<before.count], as: UTF8.self), supervised: false))
      pieces.append(
        Piece(text: String(decoding: all[before.count..<after.count], as: UTF8.self), supervised: message.loss))
      start = after.count
    }
    pieces.append(Piece(text: String(decoding: all[start...], as: UTF8.self), supervised: false))
    return pieces.filter { !$0.text.isEmpty }
  }

  /// What a template must render of the messages' texts: all but white space. Calls `body` with a text's bytes of that.
  func eachInk(
    _ body: (_ message: Int, _ ink: [UInt8]) throws(SampleError.Reason) -> Void
  ) throws(SampleError.Reason) {
    for (index, message) in messages.enumerated() {
      for case .text(let text) in message.content { try body(index, text.utf8.filter(Self.isInk)) }
    }
  }

  private static func isInk(_ byte: UInt8) -> Bool { byte > 0x20 }

  /// A template may move white space and must not leave out a text: one that expects strings renders a list as nothing.
  private func checkTexts(in rendered: [UInt8]) throws(SampleError.Reason) {
    let ink = rendered.filter(Self.isInk)
    var start = 0
    try eachInk { (index, words) throws(SampleError.Reason) in
      let search = ByteSearch(words)
      guard let found = ink.withUnsafeBufferPointer({ search.first(in: $0, from: start) }) else {
        throw .notRendered(message: index, role: messages[index].role.rawValue)
      }
      start = found + words.count
    }
  }

  private func render(
    _ count: Int, _ template: any PromptRendering, _ addGenerationPrompt: Bool, tools: [JSON]? = nil
  ) throws(SampleError.Reason) -> [UInt8] {
    let prompt = messages[..<count].map { message in
      PromptMessage(
        role: message.role.rawValue,
        content: message.content.map { part in
          switch part {
          case .text(let text): .text(text)
          case .image: .image
          }
        })
    }
    do {
      return Array(
        try template.render(prompt, tools: tools ?? self.tools, addGenerationPrompt: addGenerationPrompt).utf8)
    } catch {
      throw .template("\(error)")
    }
  }
}
