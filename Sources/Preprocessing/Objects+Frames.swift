// Boxes on their images: what their numbers count, whether they lie there, and which convention was probably meant.
import Datasets

extension Objects {
  /// How far beyond an image a box may reach, as a share of the side; at least one pixel. It is cut at the edge.
  private static let tolerance = 0.01

  /// The size of an image in what boxes count.
  private func size(of image: Int, _ frame: ImageFrame) -> Size {
    switch unit {
    case .real: sizes?[image] ?? frame.original.ofBoxes
    case .norm1: Size(width: 1, height: 1)
    case .norm1000: Size(width: 1000, height: 1000)
    }
  }

  /// A box in the coordinates that the model writes, cut at the image's edges.
  func written(_ box: Box, _ frame: ImageFrame) -> Box {
    box.scaled(from: size(of: box.image, frame), to: frame.written)
  }

  /// All boxes in pixels of the original images, cut at their edges.
  /// - Parameter frames: of all of the example's images.
  ///
  /// Throws for a box that is not on its image or has its corners exchanged, and names the likely convention.
  func pixels(on frames: [ImageFrame]) throws(SampleError.Reason) -> [Box] {
    for (index, box) in boxes.enumerated() {
      guard frames.indices.contains(box.image) else {
        throw .boxImage(box: index, image: box.image, images: frames.count)
      }
      guard [box.x1, box.y1, box.x2, box.y2].allSatisfy(\.isFinite) else { throw .boxNotFinite(box: index) }
      try check(box, at: index, frames[box.image])
    }
    if unit == .real, !boxes.isEmpty, boxes.allSatisfy({ max($0.x1, $0.y1, $0.x2, $0.y2) <= 1 }) {
      throw .box(
        index: 0, problem: "\(Self.shown(boxes[0])) lies within one pixel",
        remedy: "if boxes are shares of the image's sides set objects.bbox_type: norm1")
    }
    return boxes.map { box in
      box.scaled(from: size(of: box.image, frames[box.image]), to: frames[box.image].original)
    }
  }

  private func check(_ box: Box, at index: Int, _ frame: ImageFrame) throws(SampleError.Reason) {
    let size = size(of: box.image, frame)
    let pixel = Size(
      width: size.width / Double(frame.original.width), height: size.height / Double(frame.original.height))
    let slack = Size(
      width: max(Self.tolerance * size.width, pixel.width), height: max(Self.tolerance * size.height, pixel.height))
    func fits(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> Bool {
      x1 >= -slack.width && y1 >= -slack.height && x2 <= size.width + slack.width && y2 <= size.height + slack.height
        && x1 <= x2 && y1 <= y2
    }
    guard !fits(box.x1, box.y1, box.x2, box.y2) else { return }
    let isExchanged = box.x2 < box.x1 || box.y2 < box.y1
    let bounds = unit == .real ? "\(Self.shown(size.width)) x \(Self.shown(size.height)) pixels" : unit.rawValue
    let problem =
      isExchanged
      ? "\(Self.shown(box)) has x2 < x1 or y2 < y1"
      : "\(Self.shown(box)) does not lie on its image (\(bounds))"
    throw .box(index: index, problem: problem, remedy: remedy(box, size: size, fits: fits))
  }

  /// What was probably meant.
  private func remedy(_ box: Box, size: Size, fits: (Double, Double, Double, Double) -> Bool) -> String {
    let largest = max(box.x1, box.y1, box.x2, box.y2)
    if !box.isPoint, box.x2 > 0, box.y2 > 0, fits(box.x1, box.y1, box.x1 + box.x2, box.y1 + box.y2) {
      return "it looks like [x, y, width, height]; write [x1, y1, x2, y2]"
    }
    if !box.isPoint, fits(box.y1, box.x1, box.y2, box.x2) {
      return "it looks like [y1, x1, y2, x2]; write [x1, y1, x2, y2]"
    }
    if box.isPoint, fits(box.y1, box.x1, box.y2, box.x2) { return "it looks like [y, x]; write [x, y]" }
    switch unit {
    case .norm1:
      return largest <= 1000
        ? "set objects.bbox_type: real for pixels or norm1000 for thousandths"
        : "set objects.bbox_type: real for pixels"
    case .norm1000: return "set objects.bbox_type: real for pixels"
    case .real where largest <= 1000:
      return "for thousandths set objects.bbox_type: norm1000, for pixels of another size give objects.width and height"
    case .real: return "for pixels of another size give objects.width and objects.height"
    }
  }

  private static func shown(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }

  private static func shown(_ box: Box) -> String {
    let numbers = box.isPoint ? [box.x1, box.y1] : [box.x1, box.y1, box.x2, box.y2]
    return "[" + numbers.map { shown($0) }.joined(separator: ", ") + "]"
  }
}
