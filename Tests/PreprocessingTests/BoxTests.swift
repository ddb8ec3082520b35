// Boxes on their images: what they count, how they are written, which are refused and what the message names.
import Datasets
import Testing

@testable import Preprocessing

@Suite("Boxes")
struct BoxTests {
  /// 100 x 80 pixels, resized to 112 x 84.
  private let frame = ImageFrame(
    original: ImageSize(width: 100, height: 80), resized: ImageSize(width: 112, height: 84))

  private func filled(_ text: String, _ objects: Objects?, _ frames: [ImageFrame]? = nil) throws -> String {
    let message = Message(role: .user, content: [.text(text)])
    let filled = try Placeholders.filled([message], objects: objects, frames: frames ?? [frame])
    return filled[0].content.map { if case .text(let text) = $0 { text } else { "" } }.joined()
  }

  private func box(_ numbers: [Double], image: Int = 0) -> Objects.Box {
    Objects.Box(
      x1: numbers[0], y1: numbers[1], x2: numbers[numbers.count - 2], y2: numbers[numbers.count - 1], image: image)
  }

  @Test(
    "boxes and points of every unit are written in the model's coordinates",
    arguments: [
      // Python: int(round(x / width * resized width)), as ms-swift's normalize_bbox.
      ("<bbox>", [0.1, 0.25, 0.5, 0.75], Objects.Unit.norm1, "[11, 21, 56, 63]"),
      ("<bbox>", [100, 250, 500, 750], .norm1000, "[11, 21, 56, 63]"),
      ("<bbox>", [10, 20, 50, 60], .real, "[11, 21, 56, 63]"),
      ("<point>", [10, 20, 50, 60], .real, "[34, 42]"),
      ("<bbox>", [50, 40], .real, "[56, 42]"), ("<point>", [0.5, 0.5], .norm1, "[56, 42]"),
      ("<bbox>", [0, 0, 1, 1], .norm1, "[0, 0, 112, 84]"),
    ])
  func units(text: String, numbers: [Double], unit: Objects.Unit, expected: String) throws {
    #expect(try filled(text, Objects(boxes: [box(numbers)], unit: unit)) == expected)
    var thousandths = frame
    thousandths.coordinates = .relative1000
    let pixels = try Objects(boxes: [box(numbers)], unit: unit).pixels(on: [frame])[0]
    #expect(
      try filled(text, Objects(boxes: [box(numbers)], unit: unit), [thousandths])
        == filled(text, Objects(boxes: [pixels]), [thousandths]))
  }

  @Test("real boxes count in the size that the row states, of their own image")
  func sizes() throws {
    let other = ImageFrame(original: ImageSize(width: 50, height: 50), resized: ImageSize(width: 56, height: 56))
    let objects = Objects(
      boxes: [box([100, 200, 500, 600], image: 1), box([20, 40, 100, 120])],
      sizes: [.init(width: 200, height: 160), .init(width: 1000, height: 1000)])
    #expect(try filled("<bbox><bbox>", objects, [frame, other]) == "[6, 11, 28, 34][11, 21, 56, 63]")
    #expect(try objects.pixels(on: [frame, other]) == [box([5, 10, 25, 30], image: 1), box([10, 20, 50, 60])])
  }

  @Test("halves go to the even neighbour")
  func halves() throws {
    let frame = ImageFrame(original: ImageSize(width: 56, height: 56), resized: ImageSize(width: 28, height: 28))
    #expect(try filled("<bbox>", Objects(boxes: [box([1, 3, 5, 7])]), [frame]) == "[0, 2, 2, 4]")
  }

  @Test("names and boxes fill their tags; a row without objects stays as written")
  func filling() throws {
    let objects = Objects(boxes: [box([10, 20, 50, 60])], references: ["cat"])
    #expect(try filled("<ref-object> is at <bbox>", objects) == "cat is at [11, 21, 56, 63]")
    #expect(try filled("<ref> is at <point>", objects) == "cat is at [34, 42]")
    #expect(try filled("<ref> <bbox> <point>x1 y1</point>", nil) == "<ref> <bbox> <point>x1 y1</point>")
    #expect(try filled("click(<point>20 30</point>)", objects) == "click(<point>20 30</point>)")
    #expect(throws: SampleError.Reason.placeholders("<bbox> and <point>", found: 2, objects: 1)) {
      try filled("<bbox><point>", objects)
    }
    #expect(throws: SampleError.Reason.placeholders("<ref> and <ref-object>", found: 2, objects: 1)) {
      try filled("<ref><ref-object><bbox>", objects)
    }
  }

  @Test(
    "a box that is not on its image is refused, with the convention that was probably meant",
    arguments: [
      ([110, 20, 150, 60], Objects.Unit.real, "norm1000, for pixels of another size give objects.width and height"),
      ([10, 20, 450, 700], .real, "norm1000"), ([10, 20, 1450, 1700], .real, "for pixels of another size"),
      ([60, 50, 30, 20], .real, "it looks like [x, y, width, height]"),
      ([70, 10, 75, 95], .real, "it looks like [y1, x1, y2, x2]"),
      ([0.1, 0.25, 0.5, 0.75], .real, "objects.bbox_type: norm1"),
      ([10, 20, 50, 60], .norm1, "objects.bbox_type: real"), ([2, 3, 1500, 700], .norm1000, "objects.bbox_type: real"),
      ([0.5, 0.2, 0.4, 0.6], .norm1, "[x, y, width, height]"), ([70, 95], .real, "it looks like [y, x]"),
      ([-20, 20, 50, 60], .real, "does not lie on its image (100 x 80 pixels)"),
    ])
  func refused(numbers: [Double], unit: Objects.Unit, words: String) {
    let error = #expect(throws: SampleError.Reason.self) {
      try Objects(boxes: [box(numbers)], unit: unit).pixels(on: [frame])
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    #expect(error?.description.hasPrefix("objects.bbox[0]: [") == true)
  }

  @Test("a box may reach one pixel, or 1% of the side, beyond the image and is cut there")
  func tolerance() throws {
    #expect(try Objects(boxes: [box([-1, 0, 101, 80.5])]).pixels(on: [frame]) == [box([0, 0, 100, 80])])
    #expect(throws: SampleError.Reason.self) { try Objects(boxes: [box([0, 0, 101.1, 80])]).pixels(on: [frame]) }
    #expect(try filled("<bbox>", Objects(boxes: [box([-1, 0, 101, 80.5])])) == "[0, 0, 112, 84]")
    let large = ImageFrame(original: ImageSize(width: 1000, height: 1000), resized: ImageSize(width: 28, height: 28))
    #expect(throws: Never.self) { try Objects(boxes: [box([5, 5, 1010, 990])]).pixels(on: [large]) }
    #expect(throws: SampleError.Reason.self) { try Objects(boxes: [box([5, 5, 1011, 990])]).pixels(on: [large]) }
    #expect(throws: Never.self) {
      try Objects(boxes: [box([0, 0, 1.01, 1])], unit: .norm1).pixels(on: [large])
    }
  }
}
