// The rules of an example: which rows become examples, and the exact reason why others do not.
import Files

extension Example {
  /// Longest id, in bytes of UTF-8.
  static let maxIDBytes = 1024

  /// Checks one row.
  /// - Parameters:
  ///   - id: the name that the row goes by.
  ///   - line: its place in the file.
  ///   - root: the folder of relative image paths.
  ///   - system: a system message for a conversation that has none.
  init(
    _ row: RowObject, id: String, line: Int, root: ImageFolder, system: String?, ignored: inout IgnoredKeys
  ) throws(BadExample) {
    try Self.check(id: id)
    var images = ImagePlacer(listed: try Self.listedImages(row, root: root, &ignored), root: root)
    var messages = try Self.messages(row, &images, &ignored)
    if let system, !messages.contains(where: { $0.role == .system }) {
      messages.insert(Message(role: .system, content: [.text(system)]), at: 0)
    }
    try images.checkCounts()
    var objects: Objects?
    if let json = row["objects"] { objects = try Objects(json, imageCount: images.placed.count, ignored: &ignored) }
    self.init(
      id: id, line: line, images: images.placed, messages: messages, tools: try Self.tools(row), objects: objects,
      groups: try Self.groups(row), answers: try Self.answers(row), scorer: try Self.scorer(row))
  }

  /// The row's own id: a text, or an integer read as its digits.
  static func id(of row: RowObject) throws(BadExample) -> String? {
    switch row["id"] {
    case nil: return nil
    case .string(let text): return text
    case .integer(let number): return String(number)
    case let other?: throw row.failure("id", "a text or a whole number", other)
    }
  }

  /// Longest answer that is scored, in bytes of UTF-8, and how many there may be.
  private static let (maxAnswerBytes, maxAnswers) = (10_000, 1_000)

  private static func answers(_ row: RowObject) throws(BadExample) -> [String] {
    guard let items = try row.list("answers", of: "texts") else { return [] }
    guard items.count <= maxAnswers else { throw BadExample("answers: more than \(maxAnswers) of them") }
    var answers: [String] = []
    for (index, item) in items.enumerated() {
      guard case .string(let text) = item else {
        throw BadExample("answers[\(index)]: expected a text, found \(item.shown)")
      }
      guard text.utf8.count <= maxAnswerBytes else {
        throw BadExample("answers[\(index)]: has more than \(maxAnswerBytes) bytes, too long to be scored")
      }
      answers.append(text)
    }
    return answers
  }

  private static func scorer(_ row: RowObject) throws(BadExample) -> Scorer? {
    guard let name = try row.text("scorer") else { return nil }
    guard let scorer = Scorer(rawValue: name) else {
      let known = Scorer.allCases.map(\.rawValue).joined(separator: ", ")
      throw BadExample("scorer: \(quoted(name)) is unknown; use one of \(known)")
    }
    return scorer
  }

  /// Groups are printed as they stand: short, without control characters. One name alone is that of the key "group".
  private static func groups(_ row: RowObject) throws(BadExample) -> [String: String] {
    var groups: [String: String] = [:]
    switch row["group"] {
    case nil: break
    case .string(let name): groups["group"] = name
    case .object(let members):
      for member in members where member.value != .null {
        guard case .string(let name) = member.value else {
          throw BadExample("group.\(quoted(member.key)): expected a text, found \(member.value.shown)")
        }
        groups[member.key] = name
      }
    case let other?: throw row.failure("group", "a text, or an object of texts", other)
    }
    for text in groups.flatMap({ [$0, $1] }) {
      guard (1...100).contains(text.utf8.count),
        !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
      else { throw BadExample("group: \(quoted(text)) is empty, longer than 100 bytes or holds a control character") }
    }
    return groups
  }

  /// Ids name groups of HDF5 files: one path component, no control characters.
  static func check(id: String) throws(BadExample) {
    if id.isEmpty || id == "." {
      throw BadExample("id \(quoted(id)) cannot name a group of an HDF5 file; rename it or set data.ids: line")
    }
    if id.utf8.contains(UInt8(ascii: "/")) {
      throw BadExample(
        "id \(quoted(id)) holds \"/\", which separates groups of an HDF5 file; rename it or set data.ids: line")
    }
    if id.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw BadExample("id \(quoted(id)) holds a control character; rename it")
    }
    if id.utf8.count > maxIDBytes { throw BadExample("id \(quoted(id)) is longer than \(maxIDBytes) bytes") }
  }

  /// A row's id that may repeat and hold slashes, made unique by the row's number.
  static func lineID(_ id: String, _ number: Int) -> String { withoutSlashes(id) + "#\(number)" }

  /// A name with `_` for each slash, as an id may have none. Over bytes: a combining mark would hide a slash.
  static func withoutSlashes(_ name: String) -> String {
    let slash = UInt8(ascii: "/")
    return String(decoding: name.utf8.map { $0 == slash ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
  }

  private static func listedImages(
    _ row: RowObject, root: ImageFolder, _ ignored: inout IgnoredKeys
  ) throws(BadExample) -> [ImageSource] {
    guard let (key, value) = try row.one(of: ["images", "image"]) else { return [] }
    guard case .array(let items) = value else {
      return [try ImageSource.listed(value, at: key, root: root, ignored: &ignored)]
    }
    var images: [ImageSource] = []
    for (index, item) in items.enumerated() {
      images.append(try ImageSource.listed(item, at: "\(key)[\(index)]", root: root, ignored: &ignored))
    }
    return images
  }

  /// A list, or a text that is one in JSON.
  private static func tools(_ row: RowObject) throws(BadExample) -> [JSON] {
    var value = row["tools"]
    if case .string(let text) = value {
      guard !text.isEmpty else { return [] }
      do { value = try JSON(parsing: Array(text.utf8)) } catch {
        throw BadExample("tools: is a text that is not valid JSON (\(error)); give a list of tools")
      }
    }
    switch value {
    case nil: return []
    case .array(let tools): return tools
    case let other?: throw row.failure("tools", "a list of tools", other)
    }
  }

  private static func messages(
    _ row: RowObject, _ images: inout ImagePlacer, _ ignored: inout IgnoredKeys
  ) throws(BadExample) -> [Message] {
    var messages: [Message] = []
    if let system = try row.text("system"), !system.isEmpty {
      messages.append(Message(role: .system, content: try images.content(system, at: "system")))
    }
    let turns = try turns(row, &images, &ignored)
    messages += turns
    if messages.count > 1, messages[0].role == .system, messages[1].role == .system, row["system"] != nil {
      throw BadExample("has both \"system\" and a turn of the system; keep one")
    }
    guard !turns.isEmpty, let first = messages.first else { throw BadExample("has no messages") }
    if first.role == .tool { throw BadExample("begins with a tool's turn; the call that it answers must come before") }
    if first.role == .assistant { throw BadExample("begins with the assistant; a message must come before the answer") }
    // An empty system message is how the template's default one is turned off.
    if let index = messages.firstIndex(where: {
      $0.role != .system && $0.role != .tool && $0.content.isEmpty && $0.toolCalls.isEmpty
    }) {
      throw BadExample("message \(index) (\(messages[index].role.rawValue)) is empty")
    }
    return messages
  }
}

extension Example {
  /// The turns of any form of a row.
  private static func turns(
    _ row: RowObject, _ images: inout ImagePlacer, _ ignored: inout IgnoredKeys
  ) throws(BadExample) -> [Message] {
    guard let (key, value) = try row.one(of: ["messages", "conversations"]) else {
      return try pairs(row, &images)
    }
    if let other = RowKey.pairs.first(where: { row[$0]?.isEmpty == false }) {
      throw BadExample("has both \"\(key)\" and \"\(other)\"; keep one, or add the latter to data.ignore_keys")
    }
    guard case .array(let turns) = value else { throw row.failure(key, "a list of turns", value) }
    var messages: [Message] = []
    for (index, turn) in turns.enumerated() {
      let turn = try RowObject(turn, .turn, at: "\(key)[\(index)]", ignored: &ignored)
      messages.append(try Message(turn, &images, &ignored))
    }
    return messages
  }
}

/// Puts images where the messages name them, in order: listed ones by `<image>`, others by content parts.
struct ImagePlacer {
  static let placeholder = "<image>"
  let listed: [ImageSource]
  let root: ImageFolder
  private(set) var placed: [ImageSource] = []
  private var placeholders = 0

  init(listed: [ImageSource], root: ImageFolder) { (self.listed, self.root) = (listed, root) }

  /// Tags of what is not supported; like `<image>` they are plain text behind a backslash.
  private static let tags: [(text: String, isImage: Bool)] = [
    (placeholder, true), ("<video>", false), ("<audio>", false),
  ]

  /// A text with each `<image>` replaced by the next listed image; `place` names it in errors.
  mutating func content(_ text: String, at place: String) throws(BadExample) -> [ContentPart] {
    // Over bytes: the standard library's search for a text costs more than the rest of an example.
    let bytes = text.utf8
    guard text.holds(UInt8(ascii: "<")) else { return text.isEmpty ? [] : [.text(text)] }
    var parts: [ContentPart] = []
    var pending: [UInt8] = []
    var cursor = bytes.startIndex
    while cursor < bytes.endIndex {
      let isEscaped = bytes[cursor] == UInt8(ascii: "\\")
      let open = isEscaped ? bytes.index(after: cursor) : cursor
      guard open < bytes.endIndex, bytes[open] == UInt8(ascii: "<"),
        let tag = Self.tags.first(where: { bytes[open...].starts(with: $0.text.utf8) })
      else {
        pending.append(bytes[cursor])
        cursor = bytes.index(after: cursor)
        continue
      }
      cursor = bytes.index(open, offsetBy: tag.text.utf8.count)
      if isEscaped {
        pending += tag.text.utf8
      } else if tag.isImage {
        if !pending.isEmpty { parts.append(.text(String(decoding: pending, as: UTF8.self))) }
        pending = []
        parts.append(placeNext())
      } else {
        throw BadExample(
          "\(place): \(tag.text) is not supported; take the row out, or write \\\(tag.text) for the text itself")
      }
    }
    if !pending.isEmpty { parts.append(.text(String(decoding: pending, as: UTF8.self))) }
    return parts
  }

  /// A list of content parts; `place` names it in errors.
  mutating func content(
    _ list: [JSON], at place: String, _ ignored: inout IgnoredKeys
  ) throws(BadExample) -> [ContentPart] {
    var parts: [ContentPart] = []
    for (index, part) in list.enumerated() {
      let part = try RowObject(part, .image, at: "\(place)[\(index)]", ignored: &ignored)
      let type = try part.text("type") ?? (part["text"] == nil ? "image" : "text")
      switch type {
      case "text":
        guard let text = try part.text("text") else { throw BadExample("\(part.place): has type text but no \"text\"") }
        for key in RowKey.imageAddresses + RowKey.imageSizes where part[key]?.isEmpty == false {
          throw BadExample("\(part.path(key)): is not read in a part of type text; make a part of type image")
        }
        parts += try content(text, at: part.place)
      case "image", "image_url":
        if part["text"]?.isEmpty == false {
          throw BadExample("\(part.path("text")): is not read in a part of an image; make two parts")
        }
        // Without an address of its own a part stands for the next listed image.
        if let image = try ImageSource(part, root: root) {
          parts.append(self.place(image))
        } else if type == "image" {
          parts.append(placeNext())
        } else {
          throw BadExample("\(part.place): has type image_url but no \"image_url\"")
        }
      default:
        throw BadExample("\(part.place): unknown type \(quoted(type)); use text, image or image_url")
      }
    }
    return parts
  }

  /// Throws unless every listed image was placed once.
  func checkCounts() throws(BadExample) {
    guard placeholders != listed.count else { return }
    let remedy =
      placeholders == 0
      ? "write <image> in a message where each image belongs"
      : "give an image for each, or write \\<image> for the text itself"
    throw BadExample(
      "the messages have \(placeholders) <image> but \(listed.count) images are listed; \(remedy)")
  }

  private mutating func placeNext() -> ContentPart {
    placeholders += 1
    return place(placeholders <= listed.count ? listed[placeholders - 1] : .file(""))
  }

  private mutating func place(_ source: ImageSource) -> ContentPart {
    placed.append(source)
    return .image(placed.count - 1)
  }
}
