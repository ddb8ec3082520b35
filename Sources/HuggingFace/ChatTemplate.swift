// A model's chat template: found where transformers' processors find it, rendered to the text that is tokenised.
import Digests
import Files

/// Turns messages into the one text that the model reads.
package struct ChatTemplate: Sendable {
  /// One turn of a conversation.
  package struct Message: Sendable, Equatable {
    package var role: String
    package var content: [Part]

    package init(role: String, content: [Part]) {
      self.role = role
      self.content = content
    }
  }

  /// One part of a message, in the order of reading.
  package enum Part: Sendable, Equatable {
    case text(String)
    case image
  }

  /// SHA-256 of the template's text.
  package let digest: String
  /// Where the template was found.
  let file: String
  private let nodes: [JinjaNode]
  /// `bos_token`, `eos_token` and the like, by name, as tokenizer_config.json gives them.
  private let specialTokens: [String: String]

  /// Takes the template of processor_config.json, chat_template.json, chat_template.jinja or tokenizer_config.json: the
  /// first that is there, in the order of transformers' `ProcessorMixin`.
  ///
  /// - Throws: `HuggingFaceError` if there is none or if it uses what this interpreter does not know.
  package init(folder: String) throws {
    let files = ModelFolder(path: folder)
    func fields(_ name: String) throws -> Fields? { files.contains(name) ? try files.fields(name) : nil }
    let settings = try fields("tokenizer_config.json")
    var tokens: [String: String] = [:]
    for key in ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"] {
      switch settings?[key] {
      case nil: break
      case .string(let token): tokens[key] = token
      default: tokens[key] = try settings?.object(key)?.string("content")
      }
    }
    for name in ["processor_config.json", "chat_template.json"] {
      guard let found = try fields(name), found["chat_template"] != nil else { continue }
      try self.init(source: found.string("chat_template"), file: found.file, specialTokens: tokens)
      return
    }
    if files.contains("chat_template.jinja") {
      let file = files.file("chat_template.jinja")
      try self.init(source: files.text("chat_template.jinja"), file: file, specialTokens: tokens)
      return
    }
    guard let settings, settings["chat_template"] != nil else {
      let file = files.file("chat_template.jinja")
      throw HuggingFaceError.unreadable(file: file, reason: "the folder has no chat template")
    }
    try self.init(source: Self.defaultTemplate(settings), file: settings.file, specialTokens: tokens)
  }

  /// tokenizer_config.json has one template or a list of named ones, of which "default" is taken.
  private static func defaultTemplate(_ settings: Fields) throws -> String {
    guard case .array(let entries) = settings["chat_template"] else { return try settings.string("chat_template") }
    for (index, entry) in entries.enumerated() {
      let named = try Fields(entry, file: settings.file, path: "chat_template[\(index)].")
      if try named.string("name") == "default" { return try named.string("template") }
    }
    throw settings.failure("chat_template", "no template is named default")
  }

  init(source: String, file: String, specialTokens: [String: String]) throws {
    self.file = file
    self.specialTokens = specialTokens
    nodes = try JinjaParser.parse(source, file: file)
    digest = SHA256.hex(source)
  }

  /// The text of a conversation, as `apply_chat_template(messages, tokenize=False)` gives it.
  ///
  /// A content of one text goes to the template as a string, as most trainers give it; any other as a list of
  /// `{"type": "text", "text": ...}` and `{"type": "image"}`.
  ///
  /// - Throws: `HuggingFaceError.template` with line and reason, also where the template itself refuses the messages.
  package func render(_ messages: [Message], tools: [JSON] = [], addGenerationPrompt: Bool) throws -> String {
    var variables = specialTokens.mapValues { JinjaValue.string($0) }
    variables["tools"] = tools.isEmpty ? JinjaValue.none : Self.list(try tools.map(value))
    variables["documents"] = JinjaValue.none
    variables["add_generation_prompt"] = .bool(addGenerationPrompt)
    variables["messages"] = Self.list(
      messages.map { message in
        Self.dictionary([("role", .string(message.role)), ("content", Self.content(message.content))])
      })
    return try JinjaEvaluator.render(nodes, variables, file: file)
  }

  private static func content(_ parts: [Part]) -> JinjaValue {
    if parts.isEmpty { return .string("") }
    if parts.count == 1, case .text(let text) = parts[0] { return .string(text) }
    return list(
      parts.map { part in
        switch part {
        case .text(let text): dictionary([("type", .string("text")), ("text", .string(text))])
        case .image: dictionary([("type", .string("image"))])
        }
      })
  }

  /// A value of a row as a template sees it.
  private func value(_ json: JSON) throws -> JinjaValue {
    func failure(_ problem: String) -> HuggingFaceError { .template(file: file, line: 1, problem: "tools: \(problem)") }
    switch json {
    case .null: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .number(let value): throw failure("the number \(value) has a fraction, which templates here do not render")
    case .string(let text): return .string(text)
    case .array(let items):
      guard let list = JinjaList(try items.map(value)) else { throw failure("nested too deeply") }
      return .list(list)
    case .object(let members):
      guard let dictionary = JinjaDictionary(try members.map { ($0.key, try value($0.value)) }) else {
        throw failure("nested too deeply")
      }
      return .dictionary(dictionary)
    }
  }

  private static func list(_ items: [JinjaValue]) -> JinjaValue { JinjaList(items).map { .list($0) } ?? .none }

  private static func dictionary(_ pairs: [(key: String, value: JinjaValue)]) -> JinjaValue {
    JinjaDictionary(pairs).map { .dictionary($0) } ?? .none
  }
}
