// `model.template`: variables of the chat template in a run file.
import HuggingFace
import Testing

@testable import RunFile

@Suite("Variables of the chat template in a run file")
struct TemplateVariablesRunTests {
  private func run(_ template: String, _ overrides: String...) throws -> RunConfiguration {
    try RunConfiguration(
      text: "model:\n  path: M\n\(template)\ndata: {train: t}\ntraining: {steps: 1}\n", path: "/runs/run.yaml",
      overrides: overrides)
  }

  private func variables(_ values: [(name: String, value: TemplateVariables.Value)]) throws -> TemplateVariables {
    try #require(TemplateVariables(values))
  }

  @Test("true, false, whole numbers and texts; a quoted number is a text")
  func reading() throws {
    let found = try run("  template: {enable_thinking: false, n: -3, words: low, quoted: \"0.5\", on: 'true'}").model
      .template
    #expect(
      try found
        == variables([
          ("enable_thinking", .bool(false)), ("n", .integer(-3)), ("words", .text("low")), ("quoted", .text("0.5")),
          ("on", .text("true")),
        ]))
    #expect(
      try run("  template:\n    enable_thinking: true").model.template == variables([("enable_thinking", .bool(true))]))
    for absent in ["", "  template: null", "  template: {}", "  template: {a: null}"] {
      #expect(try run(absent).model.template == nil, "\(absent)")
    }
  }

  @Test("an override sets one variable or takes it back")
  func overrides() throws {
    #expect(
      try run("", "model.template.enable_thinking=false").model.template
        == variables([("enable_thinking", .bool(false))]))
    #expect(
      try run("  template: {a: 1, b: 2}", "model.template.a=null").model.template == variables([("b", .integer(2))]))
    #expect(try run("  template: {a: 1}", "model.template=null").model.template == nil)
  }

  @Test(
    "what is none of these is refused with the key",
    arguments: [
      "[1]", "x", "{a: 0.5}", "{a: yes}", "{a: True}", "{a: [1]}", "{a: {b: 1}}", "{1a: 1}", "{a-b: 1}", "{a: .inf}",
    ])
  func refused(value: String) throws {
    let error = #expect(throws: RunFileError.self) { try run("  template: \(value)") }
    #expect(error?.description.contains("model.template is ") == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("enable_thinking: false") == true)
  }

  @Test("the resolved run is the same run, and its digest depends on the variables")
  func identity() throws {
    let plain = try run("")
    #expect(!plain.yaml.contains("template"))
    let one = try run("  template: {b: \"x: {*\\\"}\", a: false}")
    let again = try RunConfiguration(text: one.yaml, path: "/runs/run.yaml")
    #expect(again.model.template == one.model.template && again.yaml == one.yaml)
    #expect(one.digest(including: []) == again.digest(including: []))
    #expect(try one.digest(including: []) == run("  template: {a: false, b: \"x: {*\\\"}\"}").digest(including: []))
    let digests = try ["", "  template: {a: true}", "  template: {a: 1}", "  template: {a: \"1\"}"].map {
      try run($0).digest(including: [])
    }
    #expect(Set(digests).count == 4)
  }
}
