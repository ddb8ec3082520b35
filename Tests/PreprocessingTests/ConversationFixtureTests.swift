// Conversations under the released templates, against transformers' `apply_chat_template`
// (scripts/make-template-fixtures.py).
import Datasets
import Files
import Foundation
import HuggingFace
import TestSupport
import Testing

@testable import Preprocessing

@Suite("Conversations become the examples, ids and labels that transformers' templates and tokenizer make of them")
struct ConversationFixtureTests {
  /// The fixtures of the module HuggingFace: templates, and a tokenizer with Qwen3.5's components.
  private static let resources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../HuggingFaceTests/Resources").standardizedFileURL.path

  private struct Fixture {
    let rows: [Example]
    let cases: [JSON]

    init() throws {
      let file = Bundle.module.bundleURL.appendingPathComponent("Resources/conversations.json")
      let document = try JSON(parsing: Array(try Data(contentsOf: file)))
      rows = try document["rows"].elements.map { row in
        try #require(try ExampleReader().read(Data(row.string.utf8), name: "rows").examples.first)
      }
      cases = document["cases"].elements
    }
  }

  private static func template(_ name: String, _ variables: TemplateVariables) throws -> ChatTemplate {
    let parts = name.split(separator: "/")
    guard parts.count == 2 else { return try ChatTemplate(folder: "\(resources)/\(name)", variables: variables) }
    let file = "\(resources)/\(parts[0])/chat_template_\(parts[1]).jinja"
    let folder = try TemporaryFolder(["chat_template.jinja": String(decoding: try bytes(of: file), as: UTF8.self)])
    return try ChatTemplate(folder: folder.path, variables: variables)
  }

  private static func builder(_ name: String, _ variables: TemplateVariables) throws -> SampleBuilder {
    try SampleBuilder(
      encoding: try Tokenizer(folder: "\(resources)/qwen3.5"), template: try template(name, variables),
      processor: ImageProcessor(PreprocessorConfiguration()), maxLength: 4096)
  }

  /// Ids and places of labels with one image token an image.
  private func compact(_ sample: Sample) -> (ids: [Int], spans: [[Int]]) {
    let repeated = Set(sample.visualSpans.flatMap { $0.dropFirst() })
    let kept = sample.inputIDs.indices.filter { !repeated.contains($0) }
    var spans: [[Int]] = []
    for (place, index) in kept.enumerated() where sample.labels[index] != Sample.ignoredLabel {
      if spans.last?[1] == place { spans[spans.count - 1][1] = place + 1 } else { spans.append([place, place + 1]) }
    }
    return (kept.map { Int(sample.inputIDs[$0]) }, spans)
  }

  @Test("ids, labels and examples of every row, and the rows that are refused")
  func conversations() throws {
    let fixture = try Fixture()
    #expect(fixture.cases.count == 7 * fixture.rows.count && fixture.rows.count > 50)
    var builders: [String: SampleBuilder] = [:]
    var learned: [String: Int] = [:]
    for item in fixture.cases {
      let variables = try #require(TemplateVariables(item["variables"]))
      let name = item["template"].string
      let key = name + variables.canonical
      let builder = try builders[key] ?? Self.builder(name, variables)
      builders[key] = builder
      let row = fixture.rows[item["row"].integer]
      let place: Comment = "\(key) row \(item["row"].integer) \(item["refused"].string)"
      guard case .array(let expected) = item["examples"] else {
        #expect(throws: SampleError.self, place) { try builder.samples(of: row) }
        continue
      }
      learned[key, default: 0] += 1
      let found: [(example: Example, sample: Sample)]
      do { found = try builder.samples(of: row) } catch {
        Issue.record(error, place)
        continue
      }
      #expect(found.map(\.example.id) == expected.map { $0["id"].string }, place)
      for ((example, sample), wanted) in zip(found, expected) {
        let (ids, spans) = compact(sample)
        #expect(ids == wanted["ids"].elements.map(\.integer), place)
        #expect(spans == wanted["spans"].elements.map { $0.elements.map(\.integer) }, place)
        #expect(try sample.id == example.id && sample == builder.sample(for: example), place)
        // The prompt of evaluation is what training has before the answer.
        let prompt = try builder.prompt(for: example).sample
        #expect(sample.inputIDs.starts(with: prompt.inputIDs), place)
        if example.conversation.last?.role == .assistant,
          example.lastMessage != nil || example.messages.last?.loss == true
        {
          #expect(
            sample.labels.firstIndex { $0 != Sample.ignoredLabel }.map { $0 <= prompt.inputIDs.count } == true, place)
          #expect(sample.labels[prompt.inputIDs.count] != Sample.ignoredLabel, place)
        }
      }
    }
    for name in ["qwen2.5-vl{}", "qwen3-vl{}", "qwen3-vl-thinking{}", "qwen3.5/think{}", "qwen3.5/nothink{}"] {
      #expect(learned[name] ?? 0 >= 30, "\(name)")
    }
  }

  @Test("The answer in a text of the model is what follows its thoughts, where the template knows thoughts")
  func answers() throws {
    let none = TemplateVariables()
    let thinking = try Self.template("qwen3.5/think", none).thoughts
    #expect(thinking == TemplateThoughts(areRendered: true, canBeChosen: true))
    #expect(thinking.answer(in: "R\n</think>\n\n(1, 2)") == "(1, 2)")
    #expect(thinking.answer(in: "a</think>b</think> c") == " c" && thinking.answer(in: "no thoughts") == "no thoughts")
    let plain = try Self.template("qwen3-vl", none).thoughts
    #expect(plain == TemplateThoughts() && plain.answer(in: "R</think>A") == "R</think>A")
    #expect(try Self.template("qwen3-vl-thinking", none).thoughts == TemplateThoughts(areRendered: true))
    let off = try #require(TemplateVariables([("enable_thinking", .bool(false))]))
    #expect(
      try Self.template("qwen3.5/think", off).thoughts == TemplateThoughts(areRendered: true, chosen: false))
  }

  @Test("An answer that calls tools is asked for as the template writes it, without its thoughts")
  func calls() throws {
    let row = #"""
      {"id": "r", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "Look:",
      "reasoning_content": "why", "tool_calls": [{"name": "f", "arguments": {"a": 1}}]}], "tools": []}
      """#.replacing("\n", with: " ")
    let example = try #require(try ExampleReader().read(Data(row.utf8), name: "rows").examples.first)
    let prompt = try Self.builder("qwen3.5/think", .init()).prompt(for: example)
    #expect(prompt.callsTools)
    let call = "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>"
    #expect(prompt.reference == "Look:\n\n\(call)<|im_end|>\n")
    let plain = #"{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}"#
    let other = try #require(try ExampleReader().read(Data(plain.utf8), name: "rows").examples.first)
    let answer = try Self.builder("qwen3.5/think", .init()).prompt(for: other)
    #expect(answer.reference == "a" && !answer.callsTools)
  }

  @Test("Refusals name what the template has no place for")
  func refusals() throws {
    func row(_ answer: String) throws -> Example {
      let row = #"{"id":"r","messages":[{"role":"user","content":"q"},\#(answer)]}"#
      return try #require(try ExampleReader().read(Data(row.utf8), name: "rows").examples.first)
    }
    func reason(_ name: String, _ answer: String, _ variables: TemplateVariables = .init()) throws -> SampleError.Reason
    {
      let builder = try Self.builder(name, variables)
      let row = try row(answer)
      return try #require(#expect(throws: SampleError.self) { try builder.samples(of: row) }).reason
    }
    let thoughts = #"{"role":"assistant","content":"a","reasoning_content":"t"}"#
    let call = #"{"role":"assistant","tool_calls":[{"name":"f","arguments":{}}]}"#
    let turn = #"{"role":"tool","content":"x"},{"role":"assistant","content":"a"}"#
    #expect(try reason("qwen3-vl", thoughts) == .noThoughts(message: 1))
    #expect(try reason("qwen2.5-vl", call) == .noToolTurns(message: 1))
    #expect(try reason("qwen2.5-vl", turn) == .noToolTurns(message: 1))
    let off = try #require(TemplateVariables([("enable_thinking", .bool(false))]))
    #expect(try reason("qwen3.5/think", thoughts, off) == .otherThinking(message: 1, thinking: false))
    let on = try #require(TemplateVariables([("enable_thinking", .bool(true))]))
    #expect(
      try reason("qwen3.5/think", #"{"role":"assistant","content":"a"}"#, on)
        == .otherThinking(message: 1, thinking: true))
    // Qwen3.5 takes a call's arguments apart.
    guard
      case .template(let words) = try reason(
        "qwen3.5/think", #"{"role":"assistant","tool_calls":[{"name":"f","arguments":"{}"}]}"#)
    else {
      Issue.record("arguments as a text were accepted")
      return
    }
    #expect(words.contains("the items of a string"))
  }
}

extension JSON {
  fileprivate var elements: [JSON] { if case .array(let items) = self { items } else { [] } }
  fileprivate var string: String { if case .string(let text) = self { text } else { "" } }
  fileprivate var integer: Int { if case .integer(let value) = self { value } else { -1 } }
  fileprivate subscript(key: String) -> JSON {
    if case .object(let members) = self { members.first { $0.key == key }?.value ?? .null } else { .null }
  }
}
