// A model's chat template: found where transformers' processors find it, rendered to the text that is tokenised.
import Digests
import Files

/// Turns messages into the one text that the model reads.
package struct ChatTemplate: Sendable {
  /// One turn of a conversation.
  package struct Message: Sendable, Equatable {
    package var role: String
    /// One text alone goes to the template as a string, everything else as a list of parts.
    package var content: [Part]
    /// `reasoning_content`; nil where the message has none.
    package var thoughts: String?
    /// `tool_calls`, may be empty.
    package var toolCalls: [JSON]
    /// `tool_call_id` of a tool's turn.
    package var callID: String?

    package init(
      role: String, content: [Part], thoughts: String? = nil, toolCalls: [JSON] = [], callID: String? = nil
    ) {
      (self.role, self.content) = (role, content)
      (self.thoughts, self.toolCalls, self.callID) = (thoughts, toolCalls, callID)
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
  /// What the run gives the template to read.
  package let variables: TemplateVariables
  private let nodes: [JinjaNode]
  private let words: JinjaWords
  /// `bos_token`, `eos_token` and the like, by name, as tokenizer_config.json gives them.
  private let specialTokens: [String: String]

  /// Takes the template of processor_config.json, chat_template.json, chat_template.jinja or tokenizer_config.json: the
  /// first that is there, in the order of transformers' `ProcessorMixin`.
  ///
  /// - Parameter variables: what the run gives it to read.
  /// - Throws: `HuggingFaceError` if there is none, if it uses what this interpreter does not know, and for a variable
  ///   that it never reads.
  package init(folder: String, variables: TemplateVariables = TemplateVariables()) throws {
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
      try self.init(source: found.string("chat_template"), file: found.file, specialTokens: tokens, variables)
      return
    }
    if files.contains("chat_template.jinja") {
      let file = files.file("chat_template.jinja")
      try self.init(source: files.text("chat_template.jinja"), file: file, specialTokens: tokens, variables)
      return
    }
    guard let settings, settings["chat_template"] != nil else {
      let file = files.file("chat_template.jinja")
      throw HuggingFaceError.unreadable(file: file, reason: "the folder has no chat template")
    }
    try self.init(source: Self.defaultTemplate(settings), file: settings.file, specialTokens: tokens, variables)
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

  init(
    source: String, file: String, specialTokens: [String: String], _ variables: TemplateVariables = TemplateVariables()
  ) throws {
    self.file = file
    self.specialTokens = specialTokens
    self.variables = variables
    nodes = try JinjaParser.parse(source, file: file)
    words = JinjaWords(nodes)
    digest = SHA256.hex(source)
    for (name, _) in variables.values {
      if Self.given.contains(where: name.hasSameBytes) || specialTokens[name] != nil {
        throw HuggingFaceError.templateVariable(file: file, name: name, problem: "is given by the program itself")
      }
      guard reads(name) else {
        throw HuggingFaceError.templateVariable(file: file, name: name, problem: "is never read by the template")
      }
    }
  }

  /// What every template gets.
  private static let given = ["messages", "tools", "documents", "add_generation_prompt"]

  /// Whether the template reads a variable.
  package func reads(_ name: String) -> Bool { words.names.contains(ExactString(name)) }

  /// Whether the template reads an attribute of messages, as `reasoning_content`.
  package func readsAttribute(_ name: String) -> Bool {
    words.attributes.contains(ExactString(name)) || words.texts.contains(ExactString(name))
  }

  /// The text of a conversation, as `apply_chat_template(messages, tokenize=False)` gives it.
  ///
  /// A content of one text goes to the template as a string, as most trainers give it; any other as a list of
  /// `{"type": "text", "text": ...}` and `{"type": "image"}`.
  ///
  /// - Parameter thinking: the value of `enable_thinking`; nil: the run's, where it gives one.
  /// - Throws: `HuggingFaceError.template` with line and reason, also where the template itself refuses the messages.
  package func render(
    _ messages: [Message], tools: [JSON] = [], addGenerationPrompt: Bool, thinking: Bool? = nil
  ) throws -> String {
    var variables = specialTokens.mapValues { JinjaValue.string($0) }
    for (name, value) in self.variables.values { variables[name] = try self.value(value.json, of: name) }
    if let thinking { variables[Self.thinkingVariable] = .bool(thinking) }
    variables["tools"] = tools.isEmpty ? JinjaValue.none : Self.list(try tools.map { try value($0, of: "tools") })
    variables["documents"] = JinjaValue.none
    variables["add_generation_prompt"] = .bool(addGenerationPrompt)
    variables["messages"] = Self.list(try messages.map(dictionary))
    return try JinjaEvaluator.render(nodes, variables, file: file)
  }

  /// The variable by which templates let callers choose whether a model thinks.
  package static let thinkingVariable = "enable_thinking"

  private func dictionary(_ message: Message) throws -> JinjaValue {
    var pairs: [(key: String, value: JinjaValue)] = [
      ("role", .string(message.role)), ("content", Self.content(message.content)),
    ]
    if let thoughts = message.thoughts { pairs.append(("reasoning_content", .string(thoughts))) }
    if !message.toolCalls.isEmpty {
      pairs.append(("tool_calls", Self.list(try message.toolCalls.map { try value($0, of: "tool_calls") })))
    }
    if let callID = message.callID { pairs.append(("tool_call_id", .string(callID))) }
    return Self.dictionary(pairs)
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

  /// A value of a row or run file as a template sees it.
  private func value(_ json: JSON, of name: String) throws -> JinjaValue {
    try JinjaValue(json) { .template(file: file, line: 1, problem: "\(name): \($0)") }
  }

  private static func list(_ items: [JinjaValue]) -> JinjaValue { JinjaList(items).map { .list($0) } ?? .none }

  private static func dictionary(_ pairs: [(key: String, value: JinjaValue)]) -> JinjaValue {
    JinjaDictionary(pairs).map { .dictionary($0) } ?? .none
  }
}
