// The ways in which benchmarks write a box, and which of them numbers look like where they cannot be what was said.

/// What the four numbers of an annotation's box are.
package enum BoxForm: String, Sendable, CaseIterable {
  case xywh, xyxy

  /// The form in brackets, for messages.
  package var shown: String { self == .xywh ? "[x, y, width, height]" : "[x1, y1, x2, y2]" }

  private var other: BoxForm { self == .xywh ? .xyxy : .xywh }

  /// Why numbers are no box, as the rest of a sentence that begins with them.
  struct Problem: Error { let text: String }

  /// How far a box may reach beyond an image: rounding of scaled annotations, in parts of a side.
  private static let tolerance = 0.01

  /// The corners in pixels of the image. A box that reaches beyond its edges by at most 1% of a side (or a pixel) is
  /// cut there.
  /// - Throws: `Problem` for numbers that are no box in the image, with the convention that they look like.
  func box(_ numbers: [Double], in size: Annotation.Size?) throws(Problem) -> Objects.Box {
    guard numbers.count == 4 else { throw Problem(text: "has \(numbers.count) numbers, needs \(shown)") }
    guard numbers.contains(where: { abs($0) > 1 }) else {
      throw Problem(
        text: "looks like shares 0..1 of the image's sides; multiply them by its width and height and write \(shown)")
    }
    let corners = corners(numbers)
    guard corners.x1 < corners.x2, corners.y1 < corners.y2 else {
      if other.fits(numbers, size) { throw Problem(text: looksLikeOther) }
      throw Problem(
        text: self == .xywh
          ? "needs a width and a height above 0 after x and y in pixels" : "needs x1 < x2 and y1 < y2 in pixels")
    }
    if fits(numbers, size) { return cut(corners, size) }
    guard let size else {
      throw Problem(text: "is not in pixels of an image; write \(shown)")
    }
    let problem = "is outside the image of \(size)"
    if other.fits(numbers, size) { throw Problem(text: "\(problem): it \(looksLikeOther)") }
    if numbers.allSatisfy({ (0...1000).contains($0) }) {
      throw Problem(
        text: "\(problem): it looks like thousandths of its sides; write \(shown) in pixels")
    }
    throw Problem(text: "\(problem); is it of the same image in another size?")
  }

  private var looksLikeOther: String { "looks like \(other.shown); give --box \(other.rawValue)" }

  private func corners(_ numbers: [Double]) -> Objects.Box {
    self == .xyxy
      ? Objects.Box(x1: numbers[0], y1: numbers[1], x2: numbers[2], y2: numbers[3])
      : Objects.Box(x1: numbers[0], y1: numbers[1], x2: numbers[0] + numbers[2], y2: numbers[1] + numbers[3])
  }

  /// Whether the numbers are a box in the image; in any image where the size is not known.
  private func fits(_ numbers: [Double], _ size: Annotation.Size?) -> Bool {
    let box = corners(numbers)
    guard box.x1 < box.x2, box.y1 < box.y2 else { return false }
    guard let size else { return box.x1 >= 0 && box.y1 >= 0 && max(box.x2, box.y2) <= Objects.maxCoordinate }
    let (width, height) = (Double(size.width), Double(size.height))
    let (dx, dy) = (max(1, Self.tolerance * width), max(1, Self.tolerance * height))
    return box.x1 >= -dx && box.y1 >= -dy && box.x2 <= width + dx && box.y2 <= height + dy
      // Some of it is in the image.
      && box.x1 < width && box.y1 < height && box.x2 > 0 && box.y2 > 0
  }

  private func cut(_ box: Objects.Box, _ size: Annotation.Size?) -> Objects.Box {
    guard let size else { return box }
    return Objects.Box(
      x1: max(box.x1, 0), y1: max(box.y1, 0), x2: min(box.x2, Double(size.width)), y2: min(box.y2, Double(size.height)))
  }
}
