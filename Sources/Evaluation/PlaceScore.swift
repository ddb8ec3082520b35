// How far a written place is from an example's boxes: in pixels of the original image, boxes half-open.
import Datasets
import Preprocessing

/// The scores of an answer that should name a place.
package struct PlaceScore: Codable, Sendable, Equatable {
  /// Whether the written point, or the written box's centre, lies in a box.
  package var pointInBox: Bool
  /// Intersection over union with the best box, 0 where no box was written; nil where the example asks for a point.
  package var iou: Double?
}

/// What an example's answer should name: its boxes and the images they are in.
package struct PlaceTarget: Sendable {
  let boxes: [(box: Objects.Box, frame: ImageFrame)]
  /// Whether the right answer is a box.
  let asksForBox: Bool
  private let thoughts: TemplateThoughts

  /// The target of an example's last answer; nil where that names no place.
  ///
  /// Boxes fill `<bbox>` and `<point>` in order, so the answer's are those that its placeholders take; in an example
  /// that has no placeholder, all boxes are meant.
  package init?(row: Example, prompt: Prompt) {
    guard let reference = prompt.reference, let place = Region(parsing: reference), row.objects != nil,
      let answer = row.conversation.lastIndex(where: { $0.role == .assistant })
    else { return nil }
    let inThoughts = Self.placeholders(thoughtsOf: row.messages[answer])
    let before = row.messages[..<answer].reduce(0) { $0 + Self.placeholders($1) } + inThoughts
    let own = Self.placeholders(row.messages[answer]) - inThoughts
    let all = row.messages.reduce(0) { $0 + Self.placeholders($1) }
    thoughts = prompt.thoughts
    let given = prompt.sample.boxes
    let meant = all == 0 ? given[...] : given.dropFirst(before).prefix(own)
    boxes = meant.compactMap { box in
      prompt.sample.frames.indices.contains(box.image) ? (box, prompt.sample.frames[box.image]) : nil
    }
    guard !boxes.isEmpty else { return nil }
    if case .box = place { asksForBox = true } else { asksForBox = false }
  }

  /// Scores a text; one that names no place is wrong.
  package func score(_ text: String) -> PlaceScore {
    let region = Region(parsing: thoughts.answer(in: text))
    return PlaceScore(
      pointInBox: region.map { region in boxes.contains { Self.hits(region, $0.box, $0.frame) } } ?? false,
      iou: asksForBox ? boxes.map { Self.iou(region, $0.box, $0.frame) }.max() : nil)
  }

  /// The right boxes, in pixels of the original images.
  package var rightBoxes: [Objects.Box] { boxes.map(\.box) }

  /// The place that a text names, in pixels of the original image that the first right box is in, cut at its edges.
  package func place(in text: String) -> (place: Region, image: Int)? {
    guard let region = Region(parsing: thoughts.answer(in: text)), let (box, frame) = boxes.first else { return nil }
    switch region {
    case .point(let x, let y):
      let point = frame.toOriginal(Objects.Box(x1: x, y1: y, x2: x, y2: y))
      return (.point(x: point.x1, y: point.y1), box.image)
    case .box(let x1, let y1, let x2, let y2):
      let cut = frame.toOriginal(Objects.Box(x1: x1, y1: y1, x2: x2, y2: y2))
      return (.box(x1: cut.x1, y1: cut.y1, x2: cut.x2, y2: cut.y2), box.image)
    }
  }

  private static func placeholders(_ message: Message) -> Int {
    message.content.reduce(placeholders(thoughtsOf: message)) { count, part in
      if case .text(let text) = part { count + Markup.boxes(in: text) } else { count }
    }
  }

  private static func placeholders(thoughtsOf message: Message) -> Int {
    message.thoughts.map { Markup.boxes(in: $0) } ?? 0
  }

  private static func hits(_ region: Region, _ box: Objects.Box, _ frame: ImageFrame) -> Bool {
    let (x, y) = region.center
    // Before mapping, which would move what lies outside onto the edge.
    guard x >= 0, x < Double(frame.written.width), y >= 0, y < Double(frame.written.height) else { return false }
    let point = frame.toOriginal(Objects.Box(x1: x, y1: y, x2: x, y2: y))
    return point.x1 >= box.x1 && point.x1 < box.x2 && point.y1 >= box.y1 && point.y1 < box.y2
  }

  private static func iou(_ region: Region?, _ box: Objects.Box, _ frame: ImageFrame) -> Double {
    guard case .box(let x1, let y1, let x2, let y2)? = region else { return 0 }
    return intersectionOverUnion(frame.toOriginal(Objects.Box(x1: x1, y1: y1, x2: x2, y2: y2)), box)
  }
}

/// Area of the intersection over area of the union; 0 where a box has no area, also with its corners exchanged.
package func intersectionOverUnion(_ a: Objects.Box, _ b: Objects.Box) -> Double {
  func area(_ width: Double, _ height: Double) -> Double { max(width, 0) * max(height, 0) }
  let common = area(min(a.x2, b.x2) - max(a.x1, b.x1), min(a.y2, b.y2) - max(a.y1, b.y1))
  let union = area(a.x2 - a.x1, a.y2 - a.y1) + area(b.x2 - b.x1, b.y2 - b.y1) - common
  return common > 0 ? common / union : 0
}
