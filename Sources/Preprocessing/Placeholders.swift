// `<bbox>`, `<point>` and `<ref>` in messages become the example's objects, in the coordinates that the model knows.
import Datasets

/// The objects of an example, used in order.
struct Placeholders {
  private let objects: Objects
  private let frames: [ImageFrame]
  private var boxesUsed = 0
  private var referencesUsed = 0

  /// The messages with each `<bbox>` as `[x1, y1, x2, y2]`, or `[x, y]` of a point, each `<point>` as `[x, y]`, the
  /// box's centre, all as integers in the frame's coordinates, and each `<ref>` and `<ref-object>` as a name.
  ///
  /// An example without objects asks for nothing to be filled: its texts stay as written.
  static func filled(
    _ messages: [Message], objects: Objects?, frames: [ImageFrame]
  ) throws(SampleError.Reason) -> [Message] {
    guard let objects else { return messages }
    var placeholders = Placeholders(objects: objects, frames: frames)
    var messages = messages
    for index in messages.indices {
      messages[index].thoughts = messages[index].thoughts.map { placeholders.fill($0) }
      var content: [ContentPart] = []
      for part in messages[index].content {
        guard case .text(let text) = part else {
          content.append(part)
          continue
        }
        let filled = placeholders.fill(text)
        if !filled.isEmpty { content.append(.text(filled)) }
      }
      messages[index].content = content
    }
    try placeholders.checkCounts()
    return messages
  }

  private init(objects: Objects, frames: [ImageFrame]) { (self.objects, self.frames) = (objects, frames) }

  private mutating func fill(_ text: String) -> String {
    var filled = ""
    for piece in Markup.pieces(of: text) {
      switch piece {
      case .text(let words): filled += words
      case .reference:
        // One too many is counted to the end, so that the message can state how many there are.
        if referencesUsed < objects.references.count { filled += objects.references[referencesUsed] }
        referencesUsed += 1
      case .box, .point:
        if boxesUsed < objects.boxes.count { filled += written(objects.boxes[boxesUsed], asPoint: piece == .point) }
        boxesUsed += 1
      }
    }
    return filled
  }

  private func written(_ box: Objects.Box, asPoint: Bool) -> String {
    let seen = objects.written(box, frames[box.image])
    let numbers =
      if asPoint || box.isPoint {
        [(seen.x1 + seen.x2) / 2, (seen.y1 + seen.y2) / 2]
      } else {
        [seen.x1, seen.y1, seen.x2, seen.y2]
      }
    // Python's `round`, as in ms-swift: halves go to the even neighbour.
    return "[" + numbers.map { String(Int($0.rounded(.toNearestOrEven))) }.joined(separator: ", ") + "]"
  }

  private func checkCounts() throws(SampleError.Reason) {
    guard boxesUsed == 0 || boxesUsed == objects.boxes.count else {
      throw .placeholders("<bbox> and <point>", found: boxesUsed, objects: objects.boxes.count)
    }
    guard referencesUsed == 0 || referencesUsed == objects.references.count else {
      throw .placeholders("<ref> and <ref-object>", found: referencesUsed, objects: objects.references.count)
    }
  }
}
