// Every key of a row is read, refused by name, or left out where the reader was told so.
import Files
import Foundation
import Testing

@testable import Datasets

private let turns = #""messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]"#

/// The one example of a line.
private func example(_ line: String) throws -> Example { try #require(read(line).examples.first, "\(line)") }

@Suite("Keys of rows")
struct RowKeysTests {
  @Test("right answers and the scorer of a row; what is none is refused, and may be left out")
  func answers() throws {
    let row = try example(#"{"id":"a","answers":["yes","Yes!"],"scorer":"vqa_accuracy",\#(turns)}"#)
    #expect(row.answers == ["yes", "Yes!"] && row.scorer == .vqaAccuracy)
    #expect(try example(#"{"id":"a",\#(turns)}"#).answers == [])
    for (keys, words) in [
      (##""answers":"yes""##, "answers: expected a list of texts"),
      (##""answers":[1]"##, "answers[0]: expected a text"),
      (##""scorer":"f1""##, "scorer: \"f1\" is unknown; use one of exact_match"),
      (##""answers":["\##(String(repeating: "x", count: 10_001))"]"##, "answers[0]: has more than 10000 bytes"),
    ] {
      let line = ##"{"id":"a",\##(keys),\##(turns)}"##
      #expect(reason(line)?.hasPrefix(words) == true, "\(reason(line) ?? "read")")
      let reader = ExampleReader(policy: .skip, ignoredKeys: ["answers", "scorer"])
      #expect(try reader.read(Data(line.utf8), name: "f").problems.isEmpty)
    }
  }

  @Test(
    "unknown keys are refused with the nearest known one, at every level",
    arguments: [
      (
        #"{"id":"a","mesages":["x"],\#(turns)}"#,
        #"mesages: unknown key; did you mean "messages"? if it only annotates, add it to data.ignore_keys"#
      ),
      (#"{"id":"a","source":"web",\#(turns)}"#, "source: unknown key"),
      (
        #"{"id":"a","messages":[{"role":"user","content":"q","contents":"r"}]}"#,
        #"messages[0].contents: unknown key; did you mean "content"?"#
      ),
      (
        #"{"id":"a","messages":[{"role":"user","content":[{"type":"image","pathh":"x"}]}]}"#,
        #"messages[0].content[0].pathh: unknown key; did you mean "path"?"#
      ),
      (#"{"id":"a",\#(turns),"objects":{"bboxs":[]}}"#, #"objects.bboxs: unknown key; did you mean "bbox"?"#),
      (#"{"id":"a","id":"b",\#(turns)}"#, "id: the key is given twice; keep one"),
      (
        #"{"id":"a","messages":[{"role":"user","content":"q","content":"r"}]}"#,
        "messages[0].content: the key is given twice"
      ),
    ])
  func unknown(line: String, words: String) {
    #expect(reason(line)?.hasPrefix(words) == true, "\(reason(line) ?? "read")")
  }

  @Test(
    "keys of a meaning that is not supported are refused by name",
    arguments: [
      (#"{"id":"a","videos":["v.mp4"],\#(turns)}"#, "videos is not read: only images are supported"),
      (#"{"id":"a","audio":"v.wav",\#(turns)}"#, "audio is not read"),
      (#"{"id":"a","prompt":"q","completion":"r"}"#, "prompt is not read: write the turns as"),
      (
        #"{"id":"a","rejected_response":"r",\#(turns)}"#, "rejected_response is not read: preferences are not supported"
      ),
      (
        #"{"id":"a","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","function_call":{"name":"f"}}]}"#,
        #"messages[1].function_call is not read: write the call as "tool_calls""#
      ),
      (#"{"id":"a","messages":[{"role":"function","content":"q"}]}"#, #"messages[0]: unknown role "function""#),
      (
        #"{"id":"a","messages":[{"role":"user","content":"<video>q"}]}"#,
        "messages[0].content: <video> is not supported"
      ),
      (
        #"{"id":"a","conversations":[{"from":"human","value":"<audio>"}]}"#,
        "conversations[0].value: <audio> is not supported"
      ),
    ])
  func refused(line: String, words: String) {
    #expect(reason(line)?.hasPrefix(words) == true, "\(reason(line) ?? "read")")
  }

  private func conversation(_ answer: String) -> String {
    #"{"id":"a","messages":[{"role":"user","content":"q"},\#(answer)]}"#
  }

  @Test("thoughts of the assistant under every name; an empty text says that there were none")
  func thoughts() throws {
    for name in ["reasoning_content", "reasoning", "thinking"] {
      let row = conversation(#"{"role":"assistant","content":"a","\#(name)":"so \\<image>\n"}"#)
      #expect(try example(row).messages[1].thoughts == "so <image>\n")
    }
    #expect(
      try example(conversation(#"{"role":"assistant","content":"a","reasoning_content":""}"#)).messages[1].thoughts
        == "")
    #expect(
      try example(conversation(#"{"role":"assistant","content":"a","reasoning_content":null}"#)).messages[1].thoughts
        == nil)
    #expect(
      reason(conversation(#"{"role":"assistant","content":"a","reasoning":"x","thinking":"y"}"#))
        == #"messages[1]: has both "reasoning" and "thinking"; keep one"#)
    #expect(
      reason(conversation(#"{"role":"user","content":"a","thinking":"y"}"#))
        == "messages[1].thinking: only the assistant thinks; take it out")
    #expect(
      reason(conversation(#"{"role":"assistant","content":"a","thinking":["y"]}"#))?
        .hasPrefix("messages[1].thinking: expected a text") == true)
    #expect(
      reason(
        #"{"id":"a","image":"x","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","thinking":"<image>"}]}"#
      )?
      .hasPrefix("messages[1].thinking: thoughts hold no images") == true)
  }

  @Test("calls of tools, with a content or without, and the turns of tools")
  func toolTurns() throws {
    let call = #"{"id":"1","type":"function","function":{"name":"f","arguments":{"b":1.5,"a":[null]}}}"#
    let row = #"{"role":"assistant","tool_calls":[\#(call)]},{"role":"tool","tool_call_id":"1","content":""}"#
    let messages = try example(conversation(row + #",{"role":"assistant","content":"a"}"#)).messages
    #expect(messages.map(\.role) == [.user, .assistant, .tool, .assistant])
    let parsed = try JSON(parsing: Array(call.utf8))
    #expect(messages[1].content.isEmpty && messages[1].toolCalls == [parsed])
    #expect(messages[2].callID == "1" && messages[2].content.isEmpty)
    #expect(
      reason(conversation(#"{"role":"assistant","content":"a","tool_calls":[{}]}"#))?
        .hasPrefix(#"messages[1].tool_calls[0]: has no "name""#) == true)
    #expect(
      reason(conversation(#"{"role":"assistant","content":"a","tool_calls":"f"}"#))?
        .hasPrefix("messages[1].tool_calls: expected a list of calls") == true)
    #expect(
      reason(conversation(#"{"role":"user","content":"a","tool_calls":[{"name":"f"}]}"#))
        == "messages[1].tool_calls: only the assistant calls tools; take it out")
    #expect(
      reason(conversation(#"{"role":"assistant","content":"a","tool_call_id":"1"}"#))
        == "messages[1].tool_call_id: is read of a tool's turn alone; take it out")
    #expect(reason(conversation(#"{"role":"assistant","tool_calls":[]}"#)) == #"messages[1]: has no "content""#)
  }

  @Test("null, and empty values of refused keys, count as absent")
  func absent() throws {
    let line =
      #"{"id":"a","videos":[],"audio":null,"source":null,"system":"","tools":"","image":null,"history":[],\#(turns)}"#
    #expect(try example(line) == example(#"{"id":"a",\#(turns)}"#))
  }

  @Test("keys that begin with _ or are named are left out and counted")
  func ignored() throws {
    let lines = (1...3).map {
      #"{"id":"\#($0)","_note":1,"source":"web","messages":[{"role":"user","content":"q","source":2}]}"#
    }
    let reader = ExampleReader(ignoredKeys: ["source", "videos"])
    let set = try reader.read(Data(lines.joined(separator: "\n").utf8), name: "f")
    #expect(set.examples.count == 3)
    #expect(set.ignoredKeys.map(\.key) == ["_note", "source"] && set.ignoredKeys.map(\.count) == [3, 6])
    #expect(throws: Never.self) { try reader.read(Data(#"{"videos":["v"],\#(turns)}"#.utf8), name: "f") }
    #expect(RowKey.mayIgnore("videos") && RowKey.mayIgnore("meta") && !RowKey.mayIgnore("objects"))
  }

  @Test("a system message beside the turns becomes the first one")
  func system() throws {
    for form in [turns, #""conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]"#] {
      let messages = try example(#"{"id":"a","system":"Be brief.",\#(form)}"#).messages
      #expect(messages.map(\.role) == [.system, .user, .assistant])
      #expect(messages[0].content == [.text("Be brief.")])
    }
    #expect(
      reason(#"{"id":"a","system":"s","messages":[{"role":"system","content":"t"},{"role":"user","content":"q"}]}"#)
        == #"has both "system" and a turn of the system; keep one"#)
  }

  @Test("tools are a list, or a text that is one")
  func tools() throws {
    let tools = #"[{"name":"f","parameters":{"b":1,"a":2}}]"#
    let parsed = try JSON(parsing: Array(tools.utf8))
    guard case .array(let expected) = parsed else { return }
    #expect(try example(#"{"id":"a","tools":\#(tools),\#(turns)}"#).tools == expected)
    let text = tools.replacing("\"", with: "\\\"")
    #expect(try example(#"{"id":"a","tools":"\#(text)",\#(turns)}"#).tools == expected)
    #expect(reason(#"{"id":"a","tools":"[",\#(turns)}"#)?.hasPrefix("tools: is a text that is not valid JSON") == true)
    #expect(reason(#"{"id":"a","tools":3,\#(turns)}"#) == "tools: expected a list of tools, found 3")
  }

  @Test(
    "the flags of loss under every name",
    arguments: ["loss", "loss_mask", "weight", "train", "loss_weight", "loss_scale"])
  func lossFlags(name: String) throws {
    func messages(_ value: String) -> String {
      #"{"id":"a","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"n","\#(name)":\#(value)},"#
        + #"{"role":"user","content":"r"},{"role":"assistant","content":"y"}]}"#
    }
    for (value, flag) in [("0", false), ("0.0", false), ("false", false), ("1", true), ("1.0", true), ("true", true)] {
      #expect(try example(messages(value)).messages.map(\.loss) == [true, flag, true, true], "\(value)")
    }
    #expect(reason(messages("0.5")) == "messages[1].\(name): 0.5 is not read; a weight of the loss is 0 or 1")
    #expect(reason(messages("\"no\""))?.hasPrefix("messages[1].\(name): \"no\" is not read") == true)
  }

  @Test("flags that contradict each other, and a loss on a question, are refused")
  func contradictions() {
    #expect(
      reason(#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","loss":true,"weight":0}]}"#)
        == #"messages[1]: "loss" and "weight" contradict each other; keep one"#)
    #expect(
      reason(#"{"messages":[{"role":"user","content":"q","train":true},{"role":"assistant","content":"a"}]}"#)
        == "messages[0].train: only answers of the assistant can be learned; take it out")
    #expect(
      read(#"{"messages":[{"role":"user","content":"q","weight":0},{"role":"assistant","content":"a"}]}"#).problems
        .isEmpty)
  }

  @Test("a backslash makes tags of images plain text")
  func escapes() throws {
    let line =
      #"{"image":"x","messages":[{"role":"user","content":"<image>HTML has \\<image> and \\<video>, \\ stays"}]}"#
    let example = try example(line)
    #expect(example.messages[0].content == [.image(0), .text(#"HTML has <image> and <video>, \ stays"#)])
  }

  @Test("the table of docs/formats.md is the reader's")
  func documentation() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
      "../../docs/formats.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(text.contains(RowKey.markdown), "replace the table in docs/formats.md by:\n\(RowKey.markdown)")
  }
}
