// A conversation as the pieces of text that are tokenised one by one, so that training sees the ids of generation.
import Datasets
import Files

/// A stretch of the rendered text.
struct Piece: Equatable {
  var text: String
  /// An answer with the end of its turn.
  var supervised: Bool
}

/// What one text of a row's messages holds, cut where answers begin and end.
struct ConversationText: Equatable {
  var pieces: [Piece]
  /// Answers that are to be learned and are not supervised here: the whole text writes what is before them in another
  /// way than generation is given it. Each of them is the end of a text of its own.
  var branches: [Int]
}

/// Messages as a template renders them.
struct Conversation {
  /// Tokens that place images: only the template may write them.
  private static let visionTokens = [
    "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", SampleBuilder.imageToken, "<|video_pad|>",
  ].map { (text: $0, search: ByteSearch($0.utf8)) }

  let messages: [Message]
  let tools: [JSON]
  /// Whether only the last message, an answer, is learned.
  let isBranch: Bool

  /// Throws where the messages do not place `images` images once each in order, or write vision tokens themselves.
  init(_ messages: [Message], tools: [JSON] = [], images: Int) throws(SampleError.Reason) {
    for (index, message) in messages.enumerated() {
      for text in Self.texts(of: message) + message.toolCalls.map(\.canonical) {
        // Bytes, as tokenizers see them: to Swift a combining mark would hide the token's last letter.
        guard text.holds(UInt8(ascii: "<")) else { continue }
        if let token = Self.visionTokens.first(where: { $0.search.isPart(of: text) }) {
          throw .visionToken(token.text, message: index)
        }
      }
    }
    (self.messages, self.tools, isBranch) = (messages, tools, false)
    let placed = placedImages
    guard placed.elementsEqual(0..<images) else { throw .imageOrder(placed: placed, images: images) }
  }

  private init(beginning messages: ArraySlice<Message>, tools: [JSON], isBranch: Bool) {
    (self.messages, self.tools, self.isBranch) = (Array(messages), tools, isBranch)
  }

  /// The conversation up to an answer, of which it alone is learned.
  func branch(endingWith answer: Int) -> Conversation {
    Conversation(beginning: messages[...answer], tools: tools, isBranch: true)
  }

  /// Which images the messages place, in order.
  var placedImages: [Int] {
    messages.flatMap(\.content).compactMap { part in
      if case .image(let index) = part { index } else { nil }
    }
  }

  /// Everything before the last answer; the whole conversation where there is none.
  var question: Conversation {
    let last = messages.lastIndex { $0.role == .assistant } ?? messages.count
    return Conversation(beginning: messages[..<last], tools: tools, isBranch: false)
  }

  /// Rendering the text before each of more answers would take long.
  private static let mostAnswers = 1000

  /// The rendered text, cut before each answer and after the end of its turn.
  ///
  /// The text up to an answer must be what generation is given, and what follows must not change it: otherwise training
  /// would teach a text that generation never sees. An answer that is not so here is a branch.
  /// `check` may refuse the whole text before more is made of it: each answer costs two more renderings or four.
  func text(
    _ template: any PromptRendering, check: (_ rendered: [UInt8]) throws(SampleError.Reason) -> Void = { _ in }
  ) throws(SampleError.Reason) -> ConversationText {
    let answers = messages.indices.filter { messages[$0].role == .assistant }
    guard answers.count <= Self.mostAnswers else {
      throw .tooManyAnswers(found: answers.count, limit: Self.mostAnswers)
    }
    try checkFeatures(of: template)
    // Before the turns: a text that is far too long is refused by its first rendering.
    let rendered = RenderedConversation(self, template)
    let first = try rendered.whole(thinking: nil)
    try check(first)
    var last: RenderedTurn?
    if let index = answers.last { last = try turn(index, of: rendered) }
    let isToTheEnd = answers.last == messages.count - 1
    let all =
      last?.thinking == nil ? first : isToTheEnd ? last?.text ?? first : try rendered.whole(thinking: last?.thinking)
    try checkTools(all, template, thinking: last?.thinking)
    var pieces: [Piece] = []
    var (start, branches, learned): (Int, [Int], Set<Int>) = (0, [], [])
    for index in isBranch ? answers.suffix(1) : answers {
      let isLearned = isLearned(index)
      guard let turn = index == answers.last ? last : try turn(index, of: rendered) else { continue }
      if isLearned {
        if let failure = turn.failure { throw failure }
        // The answer's own conversation does not go on from what generation is given: no text could teach it.
        guard turn.fits else { throw .templateNotIncremental(message: index) }
      }
      guard turn.fits, all.starts(with: turn.text), turn.prompt.count >= start else {
        if isLearned { branches.append(index) }
        continue
      }
      pieces.append(Piece(bytes: all[start..<turn.prompt.count], supervised: false))
      pieces.append(Piece(bytes: all[turn.prompt.count..<turn.text.count], supervised: isLearned))
      start = turn.text.count
      if isLearned { learned.insert(index) }
    }
    pieces.append(Piece(bytes: all[start...], supervised: false))
    try checkTexts(in: all, thoughtsOf: learned, template)
    return ConversationText(pieces: pieces.filter { !$0.text.isEmpty }, branches: branches)
  }

  private func isLearned(_ index: Int) -> Bool { isBranch ? index == messages.count - 1 : messages[index].loss }

  /// An answer's prompt and text; nil for one that is not learned and whose own conversation the template refuses.
  private func turn(_ index: Int, of rendered: RenderedConversation) throws(SampleError.Reason) -> RenderedTurn? {
    do { return try rendered.turn(index) } catch {
      guard isLearned(index) else { return nil }
      throw error
    }
  }

  /// What generation is given before the last answer, and that answer's text; the whole conversation with a prompt, and
  /// nil, where there is no answer. An answer that calls tools is as the template writes it, to the end of its turn.
  func prompt(
    _ template: any PromptRendering, check: (_ rendered: [UInt8]) throws(SampleError.Reason) -> Void = { _ in }
  ) throws(SampleError.Reason) -> (pieces: [Piece], images: Int, answer: String?) {
    let (question, last) = (question, messages.lastIndex { $0.role == .assistant })
    let answers = question.messages.indices.filter { messages[$0].role == .assistant }
    guard answers.count <= Self.mostAnswers else {
      throw .tooManyAnswers(found: answers.count, limit: Self.mostAnswers)
    }
    try checkFeatures(of: template)
    let rendered = RenderedConversation(self, template)
    let first = try rendered.prompt(before: question.messages.count, thinking: nil)
    try check(first)
    var asked: RenderedTurn?
    if let last { asked = try turn(last, of: rendered) }
    let all = asked?.prompt ?? first
    try question.checkTools(all, template, thinking: asked?.thinking, isPrompt: true)
    try question.checkTexts(in: all, thoughtsOf: [], template)
    var pieces: [Piece] = []
    var start = 0
    // Cut as the text for training is, so that it begins with these ids.
    for index in isBranch ? [] : answers {
      guard let turn = try? rendered.turn(index), turn.fits, all.starts(with: turn.text), turn.prompt.count >= start
      else { continue }
      pieces.append(Piece(bytes: all[start..<turn.prompt.count], supervised: false))
      pieces.append(Piece(bytes: all[turn.prompt.count..<turn.text.count], supervised: false))
      start = turn.text.count
    }
    pieces.append(Piece(bytes: all[start...], supervised: false))
    let answer = last.map { index in
      if !messages[index].toolCalls.isEmpty, let asked, asked.fits {
        let written = String(decoding: asked.text.dropFirst(asked.prompt.count), as: UTF8.self)
        return template.thoughts.answer(in: written)
      }
      let words = messages[index].content.map { part in
        if case .text(let text) = part { text } else { "" }
      }
      return template.thoughts.answer(in: words.joined())
    }
    return (pieces.filter { !$0.text.isEmpty }, question.placedImages.count, answer)
  }

  /// Whether the last answer calls tools.
  var callsTools: Bool { messages.last { $0.role == .assistant }?.toolCalls.isEmpty == false }
}

extension Piece {
  fileprivate init(bytes: ArraySlice<UInt8>, supervised: Bool) {
    self.init(text: String(decoding: bytes, as: UTF8.self), supervised: supervised)
  }
}
