// Alpaca's keys and ms-swift's query and response: the turns they mean, and what of them is refused.
import Files
import Foundation
import Testing

@testable import Datasets

@Suite("Rows of questions and answers")
struct RowPairsTests {
  private func texts(_ line: String) -> [String] {
    let (examples, problems) = read(line)
    #expect(problems.isEmpty, "\(problems)")
    return examples.first?.messages.map { message in
      let parts = message.content.map { if case .text(let text) = $0 { text } else { "<image>" } }
      return "\(message.role.rawValue): \(parts.joined())"
    } ?? []
  }

  @Test("instruction and input are one question, joined by a line break")
  func alpaca() {
    #expect(texts(#"{"instruction":"i","input":"n","output":"o"}"#) == ["user: i\nn", "assistant: o"])
    #expect(texts(#"{"instruction":"i","output":"o"}"#) == ["user: i", "assistant: o"])
    #expect(texts(#"{"instruction":"i","input":"","output":"o","history":null}"#) == ["user: i", "assistant: o"])
    #expect(texts(#"{"instruction":"","input":"n","output":"o","history":""}"#) == ["user: n", "assistant: o"])
    #expect(
      texts(#"{"system":"s","instruction":"i","input":"n","output":"o","history":[["a","b"],["c","d"]]}"#)
        == ["system: s", "user: a", "assistant: b", "user: c", "assistant: d", "user: i\nn", "assistant: o"])
  }

  @Test("query and response, with the same history and system")
  func query() {
    #expect(texts(#"{"query":"q","response":"r"}"#) == ["user: q", "assistant: r"])
    #expect(
      texts(#"{"system":"s","query":"q","response":"r","history":[["a","b"]]}"#)
        == ["system: s", "user: a", "assistant: b", "user: q", "assistant: r"])
  }

  @Test("without an answer a row only asks")
  func questions() {
    #expect(texts(#"{"instruction":"i","output":""}"#) == ["user: i"])
    #expect(texts(#"{"query":"q","history":[["a","b"]]}"#) == ["user: a", "assistant: b", "user: q"])
  }

  @Test("images are placed in the order of the texts")
  func images() throws {
    let line =
      #"{"images":["1","2"],"query":"<image>q","response":"r","history":[["<image>a","b"]]}"#
    let example = try #require(read(line).examples.first)
    #expect(example.images == [.file("/images/1"), .file("/images/2")])
    #expect(example.messages[0].content == [.image(0), .text("a")])
    #expect(example.messages[2].content == [.image(1), .text("q")])
  }

  @Test(
    "what is missing or mixed is named",
    arguments: [
      (#"{"output":"o"}"#, #"has no "instruction""#), (#"{"response":"r"}"#, #"has no "query""#),
      (#"{"instruction":"i","response":"r"}"#, #"has both "instruction" and "response"; keep the keys of one form"#),
      (#"{"query":3,"response":"r"}"#, "query: expected a text, found 3"),
      (
        #"{"query":"q","response":"r","history":[["a"]]}"#,
        "history[0]: expected two texts [question, answer], found "
      ),
      (#"{"query":"q","response":"r","history":"a"}"#, "history: expected a list of pairs [question, answer]"),
      (
        #"{"query":"q","messages":[{"role":"user","content":"a"}]}"#,
        #"has both "messages" and "query"; keep one, or add the latter to data.ignore_keys"#
      ),
      (#"{"instruction":"<image>","output":"o"}"#, "the messages have 1 <image> but 0 images are listed"),
    ])
  func refused(line: String, words: String) {
    #expect(reason(line)?.hasPrefix(words) == true, "\(reason(line) ?? "read")")
  }

  @Test("beside turns such keys may annotate: ignored, or empty")
  func ignored() throws {
    let line = #"{"output":"o","messages":[{"role":"user","content":"a"}]}"#
    let set = try ExampleReader(ignoredKeys: ["output"]).read(Data(line.utf8), name: "f")
    #expect(set.examples[0].messages.count == 1 && set.ignoredKeys.map(\.key) == ["output"])
    #expect(RowKey.mayIgnore("output") && RowKey.mayIgnore("history") && !RowKey.mayIgnore("messages"))
    #expect(read(#"{"input":"","history":[],"messages":[{"role":"user","content":"a"}]}"#).problems.isEmpty)
  }

  @Test("a system message of the run goes to conversations that have none")
  func system() throws {
    let lines = [
      #"{"query":"q","response":"r"}"#, #"{"system":"own","query":"q","response":"r"}"#,
      #"{"messages":[{"role":"system","content":""},{"role":"user","content":"q"}]}"#,
      #"{"system":"","messages":[{"role":"user","content":"q"}]}"#,
    ]
    let set = try ExampleReader(system: "<image> rules").read(Data(lines.joined(separator: "\n").utf8), name: "f")
    #expect(set.examples.map { $0.messages[0].role } == [.system, .system, .system, .system])
    #expect(
      set.examples.map { $0.messages[0].content } == [
        [.text("<image> rules")], [.text("own")], [], [.text("<image> rules")],
      ])
  }
}
