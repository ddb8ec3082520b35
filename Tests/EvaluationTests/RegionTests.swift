// Places in texts as models write them, and what they score against boxes.
import Datasets
@testable import Preprocessing
import Testing

@testable import Evaluation

@Suite("Places")
struct RegionTests {
  @Test("long hostile texts are read in linear time and never trap")
  func hostile() {
    for piece in [
      "(", "[", "[1,", "(1,2),", "<point x=", "-", "9", "\"bbox_2d\"", "[1,2,3,", " ", "(1,2",
      "[[1],", "[[1,2],", "[[[[1,", "((1,2),", "\"bbox_2d\":[1,", "\"bbox_2d\": ", "<point>1 ", "<box>1 2 3 4 5",
      "x1=1,", "\"x",
      "x=1,y=", "'x':1,",
    ] {
      let text = "x" + String(repeating: piece, count: 50_000)
      let clock = ContinuousClock()
      let time = clock.measure { _ = Region(parsing: text) }
      #expect(time < .seconds(20), "\(piece)")
    }
    #expect(Region(parsing: "[" + String(repeating: "9", count: 5000) + ",1]") == nil)
  }

  // An image of 200 x 100 that the model saw as 100 x 50.
  private let frame = ImageFrame(
    original: ImageSize(width: 200, height: 100), resized: ImageSize(width: 100, height: 50))

  private func target(
    _ boxes: [Objects.Box], user: String = "where?", answer: String = "[0, 0, 1, 1]",
    coordinates: Coordinates = .pixels
  ) throws -> PlaceTarget? {
    var frame = frame
    frame.coordinates = coordinates
    let row = Example(
      id: "r", line: 1, images: [.file("a.png")],
      messages: [
        Message(role: .user, content: [.image(0), .text(user)]), Message(role: .assistant, content: [.text(answer)]),
      ], objects: Objects(boxes: boxes))
    let sample = Sample(
      id: "r", inputIDs: [], labels: [], visualSpans: [], positionIDs: [[], [], []], grids: [], frames: [frame],
      boxes: boxes, nextPosition: 0)
    let reference = answer.replacing("<bbox>", with: "[0, 0, 1, 1]").replacing("<point>", with: "[0, 0]")
    return PlaceTarget(row: row, prompt: Prompt(sample: sample, reference: reference))
  }

  @Test("a point is mapped to the original's pixels and the box is half-open")
  func pointInBox() throws {
    let target = try #require(try target([Objects.Box(x1: 20, y1: 40, x2: 60, y2: 80)]))
    let cases: [(String, Bool)] = [
      ("(10, 20)", true), ("(9.9, 20)", false), ("(29.9, 39.9)", true), ("(30, 39)", false), ("(29, 40)", false),
      ("[10, 20, 30, 40]", true), ("[30, 20, 50, 40]", false), ("nothing", false), ("(20", false),
    ]
    for (text, hit) in cases { #expect(target.score(text).pointInBox == hit, "\(text)") }
  }

  @Test("places in thoughts are no answer, and boxes of earlier turns and of thoughts are not the answer's")
  func thoughts() throws {
    let boxes = (0..<4).map { Objects.Box(x1: Double(20 * $0), y1: 0, x2: Double(20 * $0 + 20), y2: 100) }
    func turns(_ n: Int) -> [Message] {
      [
        Message(role: .user, content: n == 0 ? [.image(0), .text("<bbox>?")] : [.text("?")]),
        Message(role: .assistant, content: [.text("<bbox>")], thoughts: n == 0 ? "Not <bbox>." : nil),
      ]
    }
    let row = Example(
      id: "r", line: 1, images: [.file("a.png")], messages: turns(0) + turns(1), objects: Objects(boxes: boxes))
    let sample = Sample(
      id: "r", inputIDs: [], labels: [], visualSpans: [], positionIDs: [[], [], []], grids: [], frames: [frame],
      boxes: boxes, nextPosition: 0)
    let prompt = Prompt(
      sample: sample, reference: "[0, 0, 1, 1]", thoughts: TemplateThoughts(areRendered: true, canBeChosen: true))
    // The model sees half of the width: box n is from 10 n to 10 n + 10.
    let first = try #require(PlaceTarget(row: row.branch(endingWith: 1), prompt: prompt))
    #expect(first.rightBoxes == [boxes[2]])
    for (text, hit) in [
      ("(25, 5)", true), ("(5, 5)\n</think>\n\n(25, 5)", true), ("(25, 5)\n</think>\n\n(5, 5)", false),
      ("(25, 5)</think>", false),
    ] { #expect(first.score(text).pointInBox == hit, "\(text)") }
    let last = try #require(PlaceTarget(row: row, prompt: prompt))
    #expect(last.rightBoxes == [boxes[3]])
  }

  @Test("what lies outside the image is not moved into a box at its edge")
  func outside() throws {
    let target = try #require(try target([Objects.Box(x1: 0, y1: 0, x2: 200, y2: 100)]))
    for (text, hit) in [("(0,0)", true), ("(99,49)", true), ("(-1,5)", false), ("(100,5)", false), ("(5,50)", false)] {
      #expect(target.score(text).pointInBox == hit, "\(text)")
    }
  }

  @Test("thousandths are of the image's sides, whatever its size")
  func thousandths() throws {
    let box = Objects.Box(x1: 20, y1: 40, x2: 60, y2: 80)
    let target = try #require(try target([box], coordinates: .relative1000))
    for (text, hit) in [
      ("(100,400)", true), ("(99,400)", false), ("(299,799)", true), ("(300,799)", false), ("(299,800)", false),
      ("{\"bbox_2d\": [100, 400, 300, 800]}", true), ("(1000,500)", false),
    ] { #expect(target.score(text).pointInBox == hit, "\(text)") }
    #expect(target.score("{\"bbox_2d\": [100, 400, 300, 800]}").iou == 1)
    #expect(target.score("[100, 400, 200, 800]").iou == 0.5)
    let whole = try #require(try self.target([Objects.Box(x1: 0, y1: 0, x2: 200, y2: 100)], coordinates: .relative1000))
    #expect(whole.score("(999,999)").pointInBox && !whole.score("(1000,0)").pointInBox)
  }

  @Test("IoU of boxes, worked out, in the original's pixels")
  func iou() throws {
    let target = try #require(try target([Objects.Box(x1: 20, y1: 40, x2: 60, y2: 80)]))
    let cases: [(String, Double)] = [
      ("[10, 20, 30, 40]", 1), ("[10, 20, 20, 40]", 0.5), ("[20, 20, 40, 40]", 1.0 / 3), ("[30, 20, 40, 40]", 0),
      ("[30, 40, 10, 20]", 0), ("(15, 30)", 0), ("none", 0),
    ]
    for (text, expected) in cases {
      let found = try #require(target.score(text).iou)
      #expect(abs(found - expected) < 1e-12, "\(text)")
    }
    // Cut at the image's edge: 40..60 of 0..60 against the part of the box in the image.
    let edge = try #require(try self.target([Objects.Box(x1: 160, y1: 0, x2: 200, y2: 100)]))
    #expect(edge.score("[80, 0, 500, 500]").iou == 1)
  }

  @Test("which of an example's boxes the answer is about")
  func targets() throws {
    let boxes = [Objects.Box(x1: 0, y1: 0, x2: 20, y2: 20), Objects.Box(x1: 100, y1: 50, x2: 140, y2: 90)]
    let second = try #require(try target(boxes, user: "left of <bbox>?", answer: "<bbox>"))
    #expect(!second.score("(5,5)").pointInBox && second.score("(55,30)").pointInBox)
    let either = try #require(try target(boxes))
    #expect(either.score("(5,5)").pointInBox && either.score("(55,30)").pointInBox)
    #expect(either.score("[50, 25, 70, 45]").iou == 1)
    let point = try #require(try target(boxes, answer: "<point> <point>"))
    #expect(point.score("(5,5)") == PlaceScore(pointInBox: true, iou: nil))
    #expect(try target(boxes, user: "what is in <bbox> and <bbox>?", answer: "a button (3, 4)") == nil)
    #expect(try target(boxes, answer: "a button") == nil)
    #expect(try target([], answer: "(1, 2)") == nil)
    #expect(try target([Objects.Box(x1: 0, y1: 0, x2: 1, y2: 1, image: 3)]) == nil)
  }

  @Test("exact match trims ends and nothing else")
  func exactMatch() {
    #expect(isExactMatch(" yes\n", "yes"))
    #expect(isExactMatch("caf\u{E9}", "cafe\u{301}"))
    #expect(!isExactMatch("Yes", "yes") && !isExactMatch("y es", "yes") && !isExactMatch("yes.", "yes"))
  }
}
