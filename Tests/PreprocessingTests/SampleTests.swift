import Datasets
import HuggingFace
import Testing

@testable import Preprocessing

@Suite("An example becomes the tokens, labels and places that the model sees")
struct SampleTests {
  private let encoding = ByteEncoding()
  /// 37 x 29 pixels, resized to 84 x 56: 2 x 3 visual tokens.
  private let image: ImageSource
  private let second: ImageSource

  init() throws {
    image = .inline(try DecodeCase.named("jpeg grey"))
    second = .inline(try DecodeCase.named("png with filters"))
  }

  private func builder(
    maxLength: Int = 4096, template: any PromptRendering = QwenTemplate(), coordinates: Coordinates = .pixels
  ) throws -> SampleBuilder {
    try SampleBuilder(
      encoding: encoding, template: template, processor: ImageProcessor(PreprocessorConfiguration()),
      coordinates: coordinates, maxLength: maxLength)
  }

  private func example(_ messages: [Message], images: [ImageSource] = [], objects: Objects? = nil) -> Example {
    Example(id: "r", line: 7, images: images, messages: messages, objects: objects)
  }

  private func supervisedText(_ sample: Sample) -> String {
    encoding.decode(sample.labels.filter { $0 != Sample.ignoredLabel })
  }

  private func reason(_ body: () throws -> Void) throws -> SampleError.Reason {
    let error = try #require(#expect(throws: SampleError.self, performing: body))
    #expect(error.id == "r" && error.line == 7)
    #expect(error.description.hasPrefix("example r (line 7): ") && !error.description.contains("\n"))
    return error.reason
  }

  @Test("one image: its placeholder becomes its tokens; the answer and the end of its turn are supervised")
  func oneImage() throws {
    let example = example(
      [
        Message(role: .user, content: [.image(0), .text("Where?")]),
        Message(role: .assistant, content: [.text("\nHere.")]),
      ], images: [image])
    let builder = try builder()
    let sample = try builder.sample(for: example)
    #expect(
      sample.frames == [ImageFrame(original: .init(width: 37, height: 29), resized: .init(width: 84, height: 56))])
    #expect(sample.grids == [GridTHW(t: 1, h: 4, w: 6)])
    let span = try #require(sample.visualSpans.first)
    #expect(span.count == 6 && sample.visualSpans.count == 1)
    #expect(sample.inputIDs[span].allSatisfy { $0 == ByteEncoding.image })
    #expect(sample.visualMask.count { $0 == 1 } == 6)
    #expect(supervisedText(sample) == "\nHere.<|im_end|>\n")
    #expect(sample.supervisedTokens == 8)
    #expect(zip(sample.labels, sample.inputIDs).allSatisfy { $0 == Sample.ignoredLabel || $0 == $1 })
    #expect(
      encoding.decode(sample.inputIDs) == "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        + "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Where?<|im_end|>\n"
        + "<|im_start|>assistant\n\nHere.<|im_end|>\n")
    #expect(sample.positionIDs.allSatisfy { $0.count == sample.inputIDs.count })
    #expect(sample.nextPosition == Int32(sample.inputIDs.count - 6 + 3))

    let pixels = try builder.images(of: example, for: sample)
    #expect(pixels.map(\.grid) == sample.grids && pixels.map(\.frame) == sample.frames)
    let swapped = Example(id: "r", line: 7, images: [second], messages: example.messages)
    guard case .image(.changed) = try reason({ _ = try builder.images(of: swapped, for: sample) }) else {
      Issue.record("another image was accepted")
      return
    }
  }

  @Test("several turns and images: all answers but those with loss false; nothing of an image in an answer")
  func severalTurns() throws {
    let sample = try builder().sample(
      for: example(
        [
          Message(role: .system, content: [.text("Point.")]),
          Message(role: .user, content: [.text("A "), .image(0), .text(" B "), .image(1)]),
          Message(role: .assistant, content: [.text("one")], loss: false),
          Message(role: .user, content: [.text("C")]),
          Message(role: .assistant, content: [.text("two "), .image(2)]),
          Message(role: .user, content: [.text("D")]),
        ], images: [image, second, image]))
    #expect(sample.visualSpans.count == 3)
    #expect(
      supervisedText(sample) == "two <|vision_start|><|vision_end|><|im_end|>\n")
    #expect(encoding.decode(sample.inputIDs).hasSuffix("<|im_start|>user\nD<|im_end|>\n"))
  }

  @Test("a prompt ends where the last answer begins, and is the beginning of the sample")
  func prompt() throws {
    let messages = [
      Message(role: .user, content: [.image(0), .text("Q <ref>")]),
      Message(role: .assistant, content: [.text("A1")]),
      Message(role: .user, content: [.text("Q2")]),
      Message(role: .assistant, content: [.text("<bbox>")]),
    ]
    let objects = Objects(boxes: [.init(x1: 0, y1: 0, x2: 37, y2: 29)], references: ["it"])
    let example = example(messages, images: [image], objects: objects)
    let prompt = try builder().prompt(for: example)
    let sample = try builder().sample(for: example)
    #expect(prompt.reference == "[0, 0, 84, 56]")
    #expect(sample.inputIDs.starts(with: prompt.sample.inputIDs))
    #expect(encoding.decode(prompt.sample.inputIDs).hasSuffix("Q2<|im_end|>\n<|im_start|>assistant\n"))
    #expect(prompt.sample.supervisedTokens == 0)
    #expect(prompt.sample.nextPosition == sample.positionIDs[0][prompt.sample.inputIDs.count])
    let rest = try builder().prompt(for: self.example([Message(role: .user, content: [.text("Q")])]))
    #expect(rest.reference == nil)
  }

  @Test("text alone: positions count the tokens and nothing is visual")
  func textOnly() throws {
    let sample = try builder().sample(
      for: example([
        Message(role: .user, content: [.text("2+2?")]), Message(role: .assistant, content: [.text("4")]),
      ]))
    #expect(sample.visualSpans.isEmpty && sample.grids.isEmpty)
    #expect(sample.positionIDs == .init(repeating: (0..<Int32(sample.inputIDs.count)).map { $0 }, count: 3))
    #expect(Int(sample.nextPosition) == sample.inputIDs.count)
  }

  @Test("examples that cannot be learnt from give the reason")
  func refusals() throws {
    let user = Message(role: .user, content: [.image(0), .text("Q")])
    let answer = Message(role: .assistant, content: [.text("A")])
    let good = example([user, answer], images: [image])
    let length = try builder().sample(for: good).inputIDs.count
    #expect(try builder(maxLength: length).sample(for: good).inputIDs.count == length)
    #expect(
      try reason { _ = try builder(maxLength: length - 1).sample(for: good) }
        == .tooLong(tokens: length, limit: length - 1))
    #expect(try reason { _ = try builder().sample(for: example([user], images: [image])) } == .noSupervisedToken)
    let silent = Message(role: .assistant, content: [.text("A")], loss: false)
    #expect(
      try reason { _ = try builder().sample(for: example([user, silent], images: [image])) } == .noSupervisedToken)
    #expect(
      try reason { _ = try builder().sample(for: example([user, answer])) } == .imageOrder(placed: [0], images: 0))
    #expect(
      try reason { _ = try builder().sample(for: example([user, answer], images: [image, image])) }
        == .imageOrder(placed: [0], images: 2))
    #expect(
      try reason {
        _ = try builder().sample(for: example([user, answer], images: [.file("/nowhere/x.png")]))
      } == .image(.unreadable(image: "/nowhere/x.png", reason: "No such file or directory")))
    // A combining mark hides the last letter from Swift's String but not from a tokenizer.
    for text in ["a<|image_pad|>", "<|vision_start|>\u{338}", "<|video_pad|>"] {
      let hostile = Message(role: .user, content: [.image(0), .text(text)])
      guard
        case .visionToken(_, 0) = try reason({
          _ = try builder().sample(for: example([hostile, answer], images: [image]))
        })
      else {
        Issue.record("accepted \(text)")
        continue
      }
    }
  }

  @Test("a conversation of so many answers that rendering before each of them takes long is refused")
  func manyAnswers() throws {
    func turns(_ answers: Int) -> Example {
      example(
        (0..<2 * answers).map { Message(role: $0 % 2 == 0 ? .user : .assistant, content: [.text("\($0)")]) }, images: []
      )
    }
    let short = ClosureTemplate { messages, _ in messages.map { "\($0)" }.joined() }
    #expect(
      try reason { _ = try builder(template: short).sample(for: turns(1001)) }
        == .tooManyAnswers(found: 1001, limit: 1000))
  }

  @Test("templates that rewrite, drop images or fail are refused by name")
  func templates() throws {
    let good = example(
      [
        Message(role: .user, content: [.image(0), .text("Q")]), Message(role: .assistant, content: [.text("A")]),
        Message(role: .user, content: [.text("Q2")]), Message(role: .assistant, content: [.text("B")]),
      ], images: [image])
    let rewriting = ClosureTemplate { messages, generation in
      "\(messages.count)" + QwenTemplate().render(messages, tools: [], addGenerationPrompt: generation)
    }
    #expect(
      try reason { _ = try builder(template: rewriting).sample(for: good) } == .templateNotIncremental(message: 1))
    let blind = ClosureTemplate { messages, generation in
      let texts = messages.map { ChatTemplate.Message(role: $0.role, content: $0.content.filter { $0 != .image }) }
      return QwenTemplate().render(texts, tools: [], addGenerationPrompt: generation)
    }
    #expect(try reason { _ = try builder(template: blind).sample(for: good) } == .imageTokens(found: 0, images: 1))
    let failing = ClosureTemplate { _, _ in throw PreprocessingError.missingToken("x") }
    guard case .template = try reason({ _ = try builder(template: failing).sample(for: good) }) else {
      Issue.record("a failing template was accepted")
      return
    }
  }

  @Test("placeholders become the example's objects in the resized image's pixels, or in thousandths of its sides")
  func placeholders() throws {
    let objects = Objects(
      boxes: [
        .init(x1: 3.7, y1: 2.9, x2: 18.5, y2: 14.5), .init(x1: 10, y1: 10, x2: 20, y2: 30, image: 1),
      ], references: ["OK <bbox>", "B"])
    let messages = [
      Message(role: .user, content: [.image(0), .image(1), .text("<ref> and <ref>, a < b <b>?")]),
      Message(role: .assistant, content: [.text("<bbox> <point>")]),
    ]
    let images = [image, second]
    let sample = try builder().sample(for: example(messages, images: images, objects: objects))
    let text = encoding.decode(sample.inputIDs)
    // 37 x 29 became 84 x 56; 40 x 30 became 84 x 56.
    #expect(text.contains("OK <bbox> and B, a < b <b>?"))
    #expect(supervisedText(sample) == "[8, 6, 42, 28] [32, 37]<|im_end|>\n")
    // 3.7 / 37, 2.9 / 29, 18.5 / 37, 14.5 / 29; 15 / 40 and 20 / 30 are the second box's centre.
    let relative = try builder(coordinates: .relative1000).sample(
      for: example(messages, images: images, objects: objects))
    #expect(supervisedText(relative) == "[100, 100, 500, 500] [375, 667]<|im_end|>\n")

    func with(_ objects: Objects?) throws -> SampleError.Reason {
      try reason { _ = try builder().sample(for: example(messages, images: images, objects: objects)) }
    }
    #expect(
      try with(Objects(boxes: objects.boxes + objects.boxes, references: objects.references))
        == .placeholders("<bbox> and <point>", found: 2, objects: 4))
    let written = try builder().sample(for: example(messages, images: images))
    #expect(supervisedText(written) == "<bbox> <point><|im_end|>\n")
    #expect(
      try with(Objects(boxes: objects.boxes, references: ["one"]))
        == .placeholders("<ref> and <ref-object>", found: 2, objects: 1))
    #expect(
      try with(
        Objects(boxes: [.init(x1: 0, y1: 0, x2: 1, y2: 1, image: 2), objects.boxes[0]], references: ["a", "b"]))
        == .boxImage(box: 0, image: 2, images: 2))
    #expect(
      try with(Objects(boxes: [objects.boxes[0], .init(x1: 0, y1: .nan, x2: 1, y2: 1)], references: ["a", "b"]))
        == .boxNotFinite(box: 1))
    let plain = [
      Message(role: .user, content: [.image(0), .image(1), .text("Q")]),
      Message(role: .assistant, content: [.text("A")]),
    ]
    let left = try builder().sample(for: example(plain, images: images, objects: objects))
    #expect(supervisedText(left) == "A<|im_end|>\n")
  }

  @Test("a tokenizer without image tokens is refused")
  func missingToken() throws {
    struct Bare: TextEncoding {
      func encode(_ text: String) -> [Int32] { [] }
      func id(of token: String) -> Int32? { nil }
    }
    let processor = try ImageProcessor(PreprocessorConfiguration())
    #expect(throws: PreprocessingError.missingToken("<|image_pad|>")) {
      try SampleBuilder(encoding: Bare(), template: QwenTemplate(), processor: processor, maxLength: 10)
    }
  }
}
