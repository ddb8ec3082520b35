// The rules of an example: which JSON objects become examples, and the exact reason why others do not.
import Files

/// An example's fault before its line and id are known.
struct BadExample: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

extension Example {
  /// Longest id, in bytes of UTF-8.
  static let maxIDBytes = 1024

  /// Checks one decoded example; `line` is its place in the file, `root` the folder of relative image paths.
  init(_ json: JSONExample, line: Int, root: String) throws(BadExample) {
    let id = json.id?.text ?? "line-\(line)"
    try Self.check(id: id)
    var images = ImagePlacer(listed: try Self.listedImages(json, root: root), root: root)
    let messages = try Self.messages(json, &images)
    try images.checkCounts()
    self.init(
      id: id, line: line, images: images.placed, messages: messages,
      objects: try json.objects.map { (objects) throws(BadExample) in
        try Objects(objects, imageCount: images.placed.count)
      }, groups: try Self.groups(json.group?.values ?? [:]))
  }

  /// Groups are printed as they stand: short, without control characters.
  private static func groups(_ groups: [String: String]) throws(BadExample) -> [String: String] {
    for text in groups.flatMap({ [$0, $1] }) {
      guard (1...100).contains(text.utf8.count),
        !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
      else { throw BadExample("group: \(quoted(text)) is empty, longer than 100 bytes or holds a control character") }
    }
    return groups
  }

  /// Ids name groups of HDF5 files: one path component, no control characters.
  static func check(id: String) throws(BadExample) {
    if id.isEmpty || id == "." { throw BadExample("id \(quoted(id)) cannot name a group of an HDF5 file; rename it") }
    if id.utf8.contains(UInt8(ascii: "/")) {
      throw BadExample("id \(quoted(id)) holds \"/\", which separates groups of an HDF5 file; rename it")
    }
    if id.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw BadExample("id \(quoted(id)) holds a control character; rename it")
    }
    if id.utf8.count > maxIDBytes { throw BadExample("id \(quoted(id)) is longer than \(maxIDBytes) bytes") }
  }

  private static func listedImages(_ json: JSONExample, root: String) throws(BadExample) -> [ImageSource] {
    if json.images != nil && json.image != nil { throw BadExample("has both \"images\" and \"image\"; keep one") }
    var images: [ImageSource] = []
    for text in json.images ?? json.image?.values ?? [] { images.append(try ImageSource(text, root: root)) }
    return images
  }

  private static func messages(_ json: JSONExample, _ images: inout ImagePlacer) throws(BadExample) -> [Message] {
    var messages: [Message] = []
    switch (json.messages, json.conversations) {
    case (nil, nil): throw BadExample("has neither \"messages\" nor \"conversations\"")
    case (.some, .some): throw BadExample("has both \"messages\" and \"conversations\"; keep one")
    case (let turns?, nil):
      for (index, turn) in turns.enumerated() {
        guard let role = Role(rawValue: turn.role) else {
          throw BadExample("messages[\(index)]: unknown role \(quoted(turn.role)); use system, user or assistant")
        }
        let content = try images.content(turn.content, at: "messages[\(index)]")
        messages.append(Message(role: role, content: content, loss: turn.loss ?? true))
      }
    case (nil, let turns?):
      let roles: [String: Role] = ["system": .system, "human": .user, "gpt": .assistant]
      for (index, turn) in turns.enumerated() {
        guard let role = roles[turn.from] else {
          throw BadExample("conversations[\(index)]: unknown speaker \(quoted(turn.from)); use system, human or gpt")
        }
        messages.append(Message(role: role, content: images.content(turn.value), loss: turn.loss ?? true))
      }
    }
    try checkOrder(messages)
    return messages
  }

  private static func checkOrder(_ messages: [Message]) throws(BadExample) {
    guard let first = messages.first else { throw BadExample("has no messages") }
    if first.role == .assistant { throw BadExample("begins with the assistant; a message must come before the answer") }
    // An empty system message is how the template's default one is turned off.
    if let index = messages.firstIndex(where: { $0.role != .system && $0.content.isEmpty }) {
      throw BadExample("message \(index) (\(messages[index].role.rawValue)) is empty")
    }
  }
}

/// Puts images where the messages name them, in order: listed ones by `<image>`, others by content parts.
struct ImagePlacer {
  static let placeholder = "<image>"
  let listed: [ImageSource]
  let root: String
  private(set) var placed: [ImageSource] = []
  private var placeholders = 0

  init(listed: [ImageSource], root: String) { (self.listed, self.root) = (listed, root) }

  /// A text with each `<image>` replaced by the next listed image.
  mutating func content(_ text: String) -> [ContentPart] {
    // Over bytes: the standard library's search for a text costs more than the rest of an example.
    let bytes = text.utf8
    var parts: [ContentPart] = []
    var (start, cursor) = (bytes.startIndex, bytes.startIndex)
    while let open = bytes[cursor...].firstIndex(of: UInt8(ascii: "<")) {
      cursor = bytes.index(after: open)
      guard bytes[open...].starts(with: Self.placeholder.utf8) else { continue }
      if start < open { parts.append(.text(String(text[start..<open]))) }
      parts.append(placeNext())
      cursor = bytes.index(open, offsetBy: Self.placeholder.utf8.count)
      start = cursor
    }
    if start < bytes.endIndex { parts.append(.text(String(text[start...]))) }
    return parts
  }

  /// A message's content of either form; `place` names it in errors.
  mutating func content(_ content: JSONContent, at place: String) throws(BadExample) -> [ContentPart] {
    switch content {
    case .text(let text): return self.content(text)
    case .parts(let list):
      var parts: [ContentPart] = []
      for (index, part) in list.enumerated() {
        let place = "\(place).content[\(index)]"
        switch part.type {
        case "text":
          guard let text = part.text else { throw BadExample("\(place): has type text but no \"text\"") }
          parts += self.content(text)
        case "image_url":
          guard let url = part.imageURL?.url else {
            throw BadExample("\(place): has type image_url but no \"image_url\"")
          }
          parts.append(self.place(try ImageSource(url, root: root)))
        case "image":
          // Without an address of its own a part stands for the next listed image.
          guard let image = part.image else {
            parts.append(placeNext())
            continue
          }
          parts.append(self.place(try ImageSource(image, root: root)))
        default:
          throw BadExample("\(place): unknown type \(quoted(part.type)); use text, image or image_url")
        }
      }
      return parts
    }
  }

  /// Throws unless every listed image was placed once.
  func checkCounts() throws(BadExample) {
    guard placeholders != listed.count else { return }
    throw BadExample("the messages have \(placeholders) <image> but \(listed.count) images are listed")
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
