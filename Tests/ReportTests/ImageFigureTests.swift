import Adapters
import Artifacts
import Datasets
import Foundation
import FoundationXML
import TestSupport
import Testing

@testable import Evaluation
@testable import Preprocessing
@testable import Report

@Suite("Images show the right place and the answered ones, in the original's pixels")
struct ImageFigureTests {
  private func source(_ width: Int, _ height: Int) throws -> ImageSource {
    let pixels = (0..<3 * width * height).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    return .inline([UInt8](try RGBImage(width: width, height: height, pixels: pixels).png()))
  }

  /// Encoded again: the same pixels, or fewer for a large image.
  @Test func embedding() throws {
    let small = try EmbeddedImage(source(30, 20))
    let bytes = try #require(Data(base64Encoded: small.base64))
    let image = try ImageDecoder.decode([UInt8](bytes), name: "embedded")
    let original = try ImageDecoder.load(source(30, 20))
    #expect(image == original)
    let large = try EmbeddedImage(source(1600, 40))
    let shrunk = try ImageDecoder.decode([UInt8](try #require(Data(base64Encoded: large.base64))), name: "embedded")
    #expect(large.original == ImageSize(width: 1600, height: 40) && shrunk.size == ImageSize(width: 800, height: 20))
    #expect(throws: PreprocessingError.self) { try EmbeddedImage(.inline(Array("no image".utf8))) }
  }

  /// An image of 100 x 50 that the model saw at 56 x 28: the model's coordinates are scaled, the example's are not.
  @Test func scaledFrames() throws {
    let frame = ImageFrame(original: ImageSize(width: 100, height: 50), resized: ImageSize(width: 56, height: 28))
    let box = Objects.Box(x1: 10, y1: 10, x2: 60, y2: 30)
    let example = Example(
      id: "r", line: 1, images: [try source(100, 50)],
      messages: [
        Message(role: .user, content: [.image(0), .text("Where?")]),
        Message(role: .assistant, content: [.text("<bbox>")]),
      ], objects: Objects(boxes: [box]))
    func target(_ frames: [ImageFrame]) -> PlaceTarget? {
      let sample = Sample(
        id: "r", inputIDs: [], labels: [], visualSpans: [], positionIDs: [[], [], []], grids: [], frames: frames,
        boxes: [box], nextPosition: 0)
      return PlaceTarget(row: example, prompt: Prompt(sample: sample, reference: "[6, 6, 34, 17]"))
    }
    let right = try #require(target([frame]))
    let found = try #require(right.place(in: "it is at (28, 14)"))
    #expect(found.place == .point(x: 50, y: 25) && found.image == 0 && right.rightBoxes == [box])
    #expect(right.place(in: "[28, 14, 9999, 14]")?.place == .box(x1: 50, y1: 25, x2: 100, y2: 25))
    #expect(right.place(in: "nowhere") == nil)
    #expect(target([]) == nil)

    var figure = ImageFigure(image: try EmbeddedImage(example.images[0]), description: "a <b>")
    figure.boxes = right.rightBoxes
    figure.predictions = [.init(place: found.place, isRight: true, colour: 0, name: "<i>")]
    let svg = figure.svg.source
    #expect(svg.contains("viewBox=\"0 0 100 50\"") && svg.contains("x=\"10\" y=\"10\" width=\"50\" height=\"20\""))
    #expect(svg.contains("&lt;i&gt;: right") && svg.contains("a &lt;b&gt;"))
    // The ring is open in its middle: no line comes nearer to (50, 25) than its radius, a fortieth of the width.
    #expect(svg.contains("A2.5,2.5") && svg.contains("M45.75,25H47.5M52.5,25H54.25M50,20.75V22.5M50,27.5V29.25"))
  }

  @Test func heatMap() {
    let scores = HeadSelection.influence(
      scores: [[1e-3, 0], [1e-2, 1e-1]], numHeads: 2, tau: 1, method: "influence/<x>")
    let source = HeatMapFigure(title: "run", selection: scores).figure.source
    // Two heads and the legend's key.
    #expect(source.components(separatedBy: "class=\"chosen\"").count == 4)
    #expect(source.contains("fill=\"#fde725\"") && source.contains("layer 1, KV head 1: influence 0.1000, chosen"))
    #expect(source.contains("class=\"none\"") && source.contains("influence/&lt;x&gt;"))
    // Heads that were selected without scores have no colours and no shares.
    let all = HeatMapFigure(title: "run", selection: .all(capacity: [3, 3])).figure.source
    // Six heads and the legend's key.
    #expect(all.components(separatedBy: "class=\"chosen\"").count == 8 && !all.contains("share of influence"))
  }

  /// The file is the page's drawing, with a title, a legend and a style of its own, as well-formed XML.
  @Test func heatMapFile() throws {
    let scores = HeadSelection.influence(
      scores: [[1e-3, 0], [1e-2, 1e-1]], numHeads: 2, tau: 1, method: "influence/<x>")
    let figure = HeatMapFigure(title: "<script>alert(1)</script> & \u{1}\u{FFFE}", selection: scores)
    let folder = try TemporaryFolder()
    try figure.write(to: folder.path("heat.svg"))
    let text = String(decoding: try bytes(of: folder.path("heat.svg")), as: UTF8.self)
    #expect(text == figure.svg && text.contains(figure.drawing.source) && !text.contains("<script"))
    for part in [
      "<?xml", "&lt;script&gt;", "2 of 4 KV heads in 1 layer", "selected", "no influence", "log scale", "0.1000",
    ] {
      #expect(text.contains(part), "\(part)")
    }
    let parser = XMLParser(data: Data(text.utf8))
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    let said = TestSupport.line { try figure.write(to: "/nonexistent/heat.svg") }
    #expect(said.hasPrefix("/nonexistent/heat.svg: cannot be written: ") && !said.contains("\n"), "\(said)")
  }

  private func line(_ id: Int, right: Bool) -> PredictionLine {
    PredictionLine(
      Example(id: "\(id)", line: 1, images: [], messages: []), model: "adapted",
      ExampleResult(
        nll: 1, tokens: 1, top1: 1,
        answer: .init(
          prompt: "", reference: "a", prediction: right ? "a" : "b", finished: true, exactMatch: right, place: nil)))
  }

  /// Half wrong, half right; if there are fewer of one kind, all of them.
  @Test func choices() {
    let lines = (0..<40).map { line($0, right: $0 % 4 != 0) }
    #expect(ShownExamples.choice(of: lines, count: 6) == [0, 12, 24, 1, 14, 27])
    #expect(ShownExamples.choice(of: (0..<3).map { line($0, right: true) }, count: 6) == [0, 1, 2])
    #expect(ShownExamples.choice(of: (0..<9).map { line($0, right: $0 > 0) }, count: 4) == [0, 1, 3, 6])
    #expect(ShownExamples.choice(of: [], count: 4).isEmpty && ShownExamples.choice(of: lines, count: 0).isEmpty)
  }

  @Test func questions() {
    let prompt =
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Where is <b>?<|im_end|>\n<|im_start|>assistant\n"
    #expect(question(ofPrompt: prompt) == "Where is <b>?")
    #expect(lastTurn(ofPrompt: prompt).hasSuffix("Where is <b>?") && !lastTurn(ofPrompt: prompt).contains("brief"))
    #expect(lastTurn(ofPrompt: "plain") == "plain" && lastTurn(ofPrompt: "a<|im_end|>b") == "a")
    #expect(question(ofPrompt: "plain") == "plain" && question(ofPrompt: "") == "")
  }
}
