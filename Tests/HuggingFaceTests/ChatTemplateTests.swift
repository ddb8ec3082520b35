// Chat templates: the released ones against transformers, and where a template is looked for.
import Files
import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct ChatTemplateTests {
  static func messages(_ json: JSON) -> [ChatTemplate.Message] {
    json.items.map { message in
      ChatTemplate.Message(
        role: message["role"].text,
        content: message["content"].items.map { $0["type"].text == "image" ? .image : .text($0["text"].text) })
    }
  }

  @Test("The released templates of Qwen2.5-VL and Qwen3-VL render as transformers renders them")
  func released() throws {
    let templates = try ["qwen2.5-vl", "qwen3-vl"].reduce(into: [:]) {
      $0[$1] = try ChatTemplate(folder: Fixtures.path($1))
    }
    let cases = try Fixtures.json("template-cases.json").items
    #expect(cases.count == 40)
    for item in cases {
      let template = try #require(templates[item["template"].text])
      let prompt = item["prompt"] == .bool(true)
      let text = try template.render(Self.messages(item["messages"]), addGenerationPrompt: prompt)
      #expect(text.utf8.elementsEqual(item["text"].text.utf8), "\(text)")
    }
  }

  @Test("The digest is that of the template's text")
  func digest() throws {
    let template = try ChatTemplate(folder: Fixtures.path("qwen2.5-vl"))
    #expect(template.digest == Self.releasedDigest)
  }

  /// Python: `hashlib.sha256(json.load(open("chat_template.json"))["chat_template"].encode()).hexdigest()`.
  static let releasedDigest = "a0bc6f6fc7a29a80017a433e8f03a1cc1236e838a944a2d034295a60c4f2fddb"

  @Test("chat_template.json comes before chat_template.jinja, that before tokenizer_config.json")
  func order() throws {
    let folder = try TemporaryFolder([
      "tokenizer_config.json": #"{"chat_template": "config {{ bos_token }}", "bos_token": {"content": "<s>"}}"#
    ])
    func rendered() throws -> String { try ChatTemplate(folder: folder.path).render([], addGenerationPrompt: false) }
    #expect(try rendered() == "config <s>")
    try folder.write("chat_template.jinja", Array("jinja\n".utf8))
    #expect(try rendered() == "jinja")
    try folder.write("chat_template.json", Array(#"{"chat_template": "json"}"#.utf8))
    #expect(try rendered() == "json")
    try folder.write("processor_config.json", Array(#"{"chat_template": "processor"}"#.utf8))
    #expect(try rendered() == "processor")
  }

  @Test("Of several named templates the default is taken")
  func named() throws {
    let folder = try TemporaryFolder([
      "tokenizer_config.json":
        #"{"chat_template": [{"name": "rag", "template": "a"}, {"name": "default", "template": "b"}]}"#
    ])
    #expect(try ChatTemplate(folder: folder.path).render([], addGenerationPrompt: false) == "b")
    try folder.write("tokenizer_config.json", Array(#"{"chat_template": [{"name": "rag", "template": "a"}]}"#.utf8))
    expectError("chat_template", "default") { _ = try ChatTemplate(folder: folder.path) }
    try folder.write("tokenizer_config.json", Array("{}".utf8))
    expectError("no chat template") { _ = try ChatTemplate(folder: folder.path) }
    try folder.write("chat_template.jinja", [0xFF])
    expectError("not UTF-8") { _ = try ChatTemplate(folder: folder.path) }
  }
}
