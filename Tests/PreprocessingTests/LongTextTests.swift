// Rows far beyond max_length: refused by their bytes, before a template or a tokenizer works on them.
import Datasets
import Files
import HuggingFace
import TestSupport
import Testing

@testable import Preprocessing

@Suite("Texts that are far too long are refused early, and all of a text's way is linear")
struct LongTextTests {
  /// Tokens of at most four bytes; encoding more than that asks for is a mistake.
  struct BoundedEncoding: TextEncoding {
    let mayEncode: Bool
    func id(of token: String) -> Int32? { ByteEncoding().id(of: token) }
    func fewestTokens(of bytes: [UInt8], isWhole: Bool) -> Int { bytes.count / 4 }
    func encode(_ text: String) -> [Int32] {
      #expect(mayEncode, "tokenized")
      return ByteEncoding().encode(text)
    }
  }

  private func example(_ question: String, _ answer: String = "b") -> Example {
    Example(
      id: "a", line: 1, images: [],
      messages: [
        Message(role: .user, content: [.text(question)]), Message(role: .assistant, content: [.text(answer)]),
      ])
  }

  private func builder(
    mayEncode: Bool = false, template: any PromptRendering = QwenTemplate()
  ) throws -> SampleBuilder {
    try SampleBuilder(
      encoding: BoundedEncoding(mayEncode: mayEncode), template: template,
      processor: ImageProcessor(PreprocessorConfiguration()), maxLength: 1000)
  }

  private func reason(_ body: () throws -> Void) throws -> SampleError.Reason {
    try #require(#expect(throws: SampleError.self, performing: body)).reason
  }

  @Test("A text of more bytes than max_length tokens hold is neither rendered nor tokenized")
  func early() throws {
    let never = ClosureTemplate { _, _ in throw PreprocessingError.missingToken("rendered") }
    for text in [String(repeating: "a", count: 60_000_000), "a" + String(repeating: "\u{301}\u{316}", count: 250_000)] {
      let time = try threadTime {
        let found = try reason { _ = try builder(template: never).sample(for: example(text)) }
        guard case .farTooLong(let fewest, 1000) = found else {
          Issue.record("\(found)")
          return
        }
        #expect(fewest == text.utf8.count / 4)
        #expect("\(found)" == "at least \(fewest) tokens are more than max_length 1000; leave the example out")
      }
      #expect(time < .seconds(3))
    }
  }

  @Test("White space that a template keeps is refused once it is rendered, and what a template adds")
  func rendered() throws {
    let blanks = String(repeating: " ", count: 5000)
    guard case .farTooLong = try reason({ _ = try builder().sample(for: example("a" + blanks)) }),
      case .farTooLong = try reason({
        _ = try builder(template: ClosureTemplate { messages, _ in "a b" + blanks }).sample(for: example("a"))
      })
    else {
      Issue.record("another refusal")
      return
    }
  }

  @Test("Up to the limit the count is exact, and a prompt does not count its answer")
  func exact() throws {
    guard
      case .tooLong = try reason({
        _ = try builder(mayEncode: true).sample(for: example(String(repeating: "a", count: 2000)))
      })
    else {
      Issue.record("another refusal")
      return
    }
    let long = example("a", String(repeating: "b", count: 10_000))
    #expect(try builder(mayEncode: true).prompt(for: long).reference?.utf8.count == 10_000)
    #expect(throws: SampleError.self) { try builder(mayEncode: true).sample(for: long) }
  }

  @Test(
    "A conversation is rendered and cut in linear time",
    arguments: ["\u{301}\u{316}", "<|image_pa", "a<", "<<box>", " \\<"])
  func linear(_ part: String) throws {
    let growth = try growth(to: 1_000_000 / part.utf8.count) {
      example("a" + String(repeating: part, count: $0)).messages
    } work: { messages in
      let conversation = try Conversation(messages, tools: [], images: 0)
      return try conversation.text(QwenTemplate()).pieces.count
        + Markup.pieces(of: conversation.text(QwenTemplate()).pieces[0].text).count
    }
    #expect(growth < 3)
  }
}
