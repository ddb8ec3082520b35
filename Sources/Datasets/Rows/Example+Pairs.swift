// Rows of questions and answers instead of turns: Alpaca's, as LLaMA-Factory and ms-swift read it, and query.
import Files

extension Example {
  /// The turns of a row with `instruction`, `input` and `output`, or with `query` and `response`; those of `history`
  /// come first. Without an answer the row only asks, as turns may.
  static func pairs(_ row: RowObject, _ images: inout ImagePlacer) throws(BadExample) -> [Message] {
    let forms = [["instruction", "input", "output"], ["query", "response"]]
    let given = forms.map { $0.filter { row[$0]?.isEmpty == false } }
    guard let form = given.firstIndex(where: { !$0.isEmpty }) else {
      throw BadExample("has no \"messages\", \"conversations\", \"instruction\" or \"query\"")
    }
    if form == 0, let other = given[1].first {
      throw BadExample("has both \"\(given[0][0])\" and \"\(other)\"; keep the keys of one form")
    }
    var messages = try history(row, &images)
    let question = forms[form].dropLast()
    var lines: [String] = []
    for key in question {
      if let text = try row.text(key), !text.isEmpty { lines.append(text) }
    }
    guard let key = question.first, !lines.isEmpty else {
      throw BadExample("has no \"\(question.first ?? "")\"")
    }
    messages.append(Message(role: .user, content: try images.content(lines.joined(separator: "\n"), at: key)))
    let answer = forms[form][question.endIndex]
    if let text = try row.text(answer), !text.isEmpty {
      messages.append(Message(role: .assistant, content: try images.content(text, at: answer)))
    }
    return messages
  }

  private static func history(_ row: RowObject, _ images: inout ImagePlacer) throws(BadExample) -> [Message] {
    var messages: [Message] = []
    guard row["history"]?.isEmpty == false else { return [] }
    for (index, pair) in (try row.list("history", of: "pairs [question, answer]") ?? []).enumerated() {
      let place = "history[\(index)]"
      guard case .array(let texts) = pair, texts.count == 2, case .string(let question) = texts[0],
        case .string(let answer) = texts[1]
      else { throw BadExample("\(place): expected two texts [question, answer], found \(pair.shown)") }
      messages.append(Message(role: .user, content: try images.content(question, at: "\(place)[0]")))
      messages.append(Message(role: .assistant, content: try images.content(answer, at: "\(place)[1]")))
    }
    return messages
  }
}
