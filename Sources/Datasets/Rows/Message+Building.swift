// The rules of a turn: its role, content, thoughts, calls of tools and flags of loss.
import Files

extension Message {
  private static let roles: [ExactString: Role] = [
    "system": .system, "user": .user, "human": .user, "assistant": .assistant, "gpt": .assistant, "tool": .tool,
  ]

  /// Checks one turn.
  init(_ turn: RowObject, _ images: inout ImagePlacer, _ ignored: inout IgnoredKeys) throws(BadExample) {
    guard let (key, value) = try turn.one(of: ["role", "from"]) else {
      throw BadExample("\(turn.place): has no \"role\"")
    }
    guard case .string(let name) = value else { throw turn.failure(key, "a text", value) }
    guard let role = Self.roles[ExactString(name)] else {
      throw BadExample(
        "\(turn.place): unknown \(key) \(quoted(name)); use system, user or human, assistant or gpt, tool")
    }
    let thoughts = try Self.thoughts(turn, role, &images)
    let toolCalls = try Self.toolCalls(turn, role)
    let content = try Self.content(turn, isOptional: !toolCalls.isEmpty, &images, &ignored)
    self.init(
      role: role, content: content, loss: try Self.loss(turn, role), thoughts: thoughts, toolCalls: toolCalls,
      callID: try Self.callID(turn, role))
  }

  private static func content(
    _ turn: RowObject, isOptional: Bool, _ images: inout ImagePlacer, _ ignored: inout IgnoredKeys
  ) throws(BadExample) -> [ContentPart] {
    guard let (key, value) = try turn.one(of: ["content", "value"]) else {
      guard isOptional else { throw BadExample("\(turn.place): has no \"content\"") }
      return []
    }
    switch value {
    case .string(let text): return try images.content(text, at: turn.path(key))
    case .array(let parts): return try images.content(parts, at: turn.path(key), &ignored)
    default: throw turn.failure(key, "a text or a list of content parts", value)
    }
  }

  /// An assistant's thoughts; an empty text says that it had none.
  private static func thoughts(
    _ turn: RowObject, _ role: Role, _ images: inout ImagePlacer
  ) throws(BadExample) -> String? {
    guard let (key, value) = try turn.one(of: RowKey.thoughts) else { return nil }
    guard case .string(let text) = value else { throw turn.failure(key, "a text", value) }
    guard role == .assistant else {
      guard text.isEmpty else { throw BadExample("\(turn.path(key)): only the assistant thinks; take it out") }
      return nil
    }
    var words = ""
    for part in try images.content(text, at: turn.path(key)) {
      guard case .text(let text) = part else {
        throw BadExample("\(turn.path(key)): thoughts hold no images; write \\<image> for the text itself")
      }
      words += text
    }
    return words
  }

  /// Calls of tools, each with a name, as the template will see them.
  private static func toolCalls(_ turn: RowObject, _ role: Role) throws(BadExample) -> [JSON] {
    guard let value = turn["tool_calls"] else { return [] }
    guard case .array(let calls) = value else { throw turn.failure("tool_calls", "a list of calls", value) }
    guard role == .assistant || calls.isEmpty else {
      throw BadExample("\(turn.path("tool_calls")): only the assistant calls tools; take it out")
    }
    func member(_ name: String, of json: JSON?) -> JSON? {
      guard case .object(let members)? = json else { return nil }
      return members.first { $0.key.hasSameBytes(as: name) }?.value
    }
    for (index, call) in calls.enumerated() {
      guard case .string(let name)? = member("name", of: member("function", of: call) ?? call), !name.isEmpty else {
        throw BadExample(
          "\(turn.path("tool_calls"))[\(index)]: has no \"name\"; give {\"name\": ..., \"arguments\": ...}")
      }
    }
    return calls
  }

  private static func callID(_ turn: RowObject, _ role: Role) throws(BadExample) -> String? {
    let key = "tool_call_id"
    guard let text = try turn.text(key), !text.isEmpty else { return nil }
    guard role == .tool else { throw BadExample("\(turn.path(key)): is read of a tool's turn alone; take it out") }
    return text
  }

  /// The flags under all their names must agree; a loss on what is no answer is refused, but for `loss` itself.
  private static func loss(_ turn: RowObject, _ role: Role) throws(BadExample) -> Bool {
    var found: (key: String, flag: Bool)?
    for key in RowKey.lossFlags {
      guard let value = turn[key] else { continue }
      let flag: Bool
      switch value {
      case .bool(let value): flag = value
      case _ where value.double == 0: flag = false
      case _ where value.double == 1: flag = true
      default:
        throw BadExample("\(turn.path(key)): \(value.shown) is not read; a weight of the loss is 0 or 1")
      }
      if let found, found.flag != flag {
        throw BadExample("\(turn.place): \"\(found.key)\" and \"\(key)\" contradict each other; keep one")
      }
      if flag, role != .assistant, key != "loss" {
        throw BadExample("\(turn.path(key)): only answers of the assistant can be learned; take it out")
      }
      found = found ?? (key, flag)
    }
    return found?.flag ?? true
  }
}
