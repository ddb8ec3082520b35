// `<bbox>`, `<point>` and `<ref>` in messages become the example's objects, in the coordinates that the model knows.
import Datasets

/// The objects of an example, used in order.
struct Placeholders {
  private enum Kind: String, CaseIterable {
    case box = "<bbox>"
    case point = "<point>"
    case reference = "<ref>"
  }

  private let objects: Objects
  private let frames: [ImageFrame]
  private var boxesUsed = 0
  private var referencesUsed = 0

  /// The messages with each `<bbox>` as `[x1, y1, x2, y2]` and each `<point>` as `[x, y]`, the box's centre, both as
  /// integers in the frame's coordinates, and each `<ref>` as a name. Messages without placeholders stay as written.
  static func filled(
    _ messages: [Message], objects: Objects?, frames: [ImageFrame]
  ) throws(SampleError.Reason) -> [Message] {
    var placeholders = Placeholders(objects: objects ?? Objects(boxes: []), frames: frames)
    var messages = messages
    for index in messages.indices {
      var content: [ContentPart] = []
      for part in messages[index].content {
        if case .text(let text) = part {
          content.append(.text(try placeholders.fill(text)))
        } else {
          content.append(part)
        }
      }
      messages[index].content = content
    }
    try placeholders.checkCounts()
    return messages
  }

  private init(objects: Objects, frames: [ImageFrame]) { (self.objects, self.frames) = (objects, frames) }

  private mutating func fill(_ text: String) throws(SampleError.Reason) -> String {
    var (result, rest) = ("", text[...])
    while let open = rest.firstIndex(of: "<") {
      result += rest[..<open]
      rest = rest[open...]
      if let kind = Kind.allCases.first(where: { rest.hasPrefix($0.rawValue) }) {
        result += try next(kind)
        rest = rest.dropFirst(kind.rawValue.count)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result + rest
  }

  private mutating func next(_ kind: Kind) throws(SampleError.Reason) -> String {
    if kind == .reference {
      defer { referencesUsed += 1 }
      // One too many is counted to the end, so that the message can state how many there are.
      return referencesUsed < objects.references.count ? objects.references[referencesUsed] : ""
    }
    defer { boxesUsed += 1 }
    guard boxesUsed < objects.boxes.count else { return "" }
    let box = objects.boxes[boxesUsed]
    guard frames.indices.contains(box.image) else {
      throw .boxImage(box: boxesUsed, image: box.image, images: frames.count)
    }
    guard [box.x1, box.y1, box.x2, box.y2].allSatisfy(\.isFinite) else { throw .boxNotFinite(box: boxesUsed) }
    let seen = frames[box.image].toWritten(box)
    let numbers =
      kind == .box ? [seen.x1, seen.y1, seen.x2, seen.y2] : [(seen.x1 + seen.x2) / 2, (seen.y1 + seen.y2) / 2]
    return "[" + numbers.map { String(Int($0.rounded())) }.joined(separator: ", ") + "]"
  }

  private func checkCounts() throws(SampleError.Reason) {
    guard boxesUsed == 0 || boxesUsed == objects.boxes.count else {
      throw .placeholders("<bbox> and <point>", found: boxesUsed, objects: objects.boxes.count)
    }
    guard referencesUsed == 0 || referencesUsed == objects.references.count else {
      throw .placeholders("<ref>", found: referencesUsed, objects: objects.references.count)
    }
  }
}
