// Variables that a run gives its template, and what a template is found to read.
import Files
import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct TemplateVariablesTests {
  private func template(_ source: String, _ json: String = "{}") throws -> ChatTemplate {
    let variables = try #require(TemplateVariables(try JSON(parsing: Array(json.utf8))))
    return try ChatTemplate(source: source, file: "t.jinja", specialTokens: ["bos_token": "<s>"], variables)
  }

  @Test("A template reads its variables; thinking is chosen for a rendering alone")
  func render() throws {
    let source = "{{ enable_thinking }} {{ n + 1 }} {{ words ~ '!' }}"
    let found = try template(source, #"{"enable_thinking": false, "n": 4, "words": "é"}"#)
    #expect(try found.render([], addGenerationPrompt: false) == "False 5 é!")
    #expect(try found.render([], addGenerationPrompt: false, thinking: true) == "True 5 é!")
  }

  @Test("A variable that the template never reads, or that is not the run's, is refused by name")
  func refused() throws {
    expectError("t.jinja", "enable_thinking", "never read", "model.template") {
      _ = try template("{{ messages }}{% set enable_thinking = 1 %}", #"{"enable_thinking": true}"#)
    }
    for name in ["messages", "tools", "add_generation_prompt", "bos_token"] {
      expectError(name, "given by the program") { _ = try template("{{ \(name) }}", #"{"\#(name)": 1}"#) }
    }
  }

  @Test("Names are read wherever an expression can stand")
  func names() throws {
    let found = try template(
      """
      {% if a %}{{ b.c[d] }}{% elif e is defined %}{% endif %}{% for x in f if g %}{{ h(i, k=j) }}{% else %}{{ l }}\
      {% endfor %}{% set ns = namespace(m=n) %}{% set ns.m = o if p else q %}{{ r[s:t:u] }}{{ {'v': w}|length }}\
      {{ [y, -z, not aa] }}{{ ab | default(ac) }}{{ ad == ae and af or ag ~ ah }}{% macro mm(ai=aj) %}{{ ak }}{% endmacro %}
      """)
    let names = "a b d e f g h i j l n o p q r s t u w y z aa ab ac ad ae af ag ah aj ak"
    for name in names.split(separator: " ") { #expect(found.reads(String(name)), "\(name)") }
    #expect(!found.reads("c") && found.readsAttribute("c") && !found.reads("ai") && !found.reads("m"))
    #expect(found.readsAttribute("v") && !found.readsAttribute("z"))
  }

  @Test("Only names and values that a template could have make variables")
  func values() throws {
    func variables(_ json: String) throws -> TemplateVariables? {
      TemplateVariables(try JSON(parsing: Array(json.utf8)))
    }
    for json in [
      "[]", "1", #"{"a": null}"#, #"{"a": 1.5}"#, #"{"a": [1]}"#, #"{"1a": 1}"#, #"{"a-b": 1}"#, #"{"": 1}"#,
    ] {
      #expect(try variables(json) == nil, "\(json)")
    }
    #expect(try variables(#"{"a": 1, "a": 2}"#) == nil)
    let some = try #require(try variables(#"{"b": "x\"", "a": true, "_1": -7}"#))
    #expect(some.canonical == #"{"_1":-7,"a":true,"b":"x\""}"#)
    let coded = try JSONDecoder().decode(TemplateVariables.self, from: JSONEncoder().encode(some))
    let snakes = JSONEncoder()
    snakes.keyEncodingStrategy = .convertToSnakeCase
    let camel = try #require(try variables(#"{"aB": 1}"#))
    #expect(String(decoding: try snakes.encode(["x": camel]), as: UTF8.self) == #"{"x":{"aB":1}}"#)
    #expect(coded == some && some["a"] == .bool(true) && some["c"] == nil)
  }

  @Test("Numbers with a fraction are printed as Python prints them, and not compared")
  func fractions() throws {
    let numbers: [(Double, String)] = [
      (0.5, "0.5"), (2, "2.0"), (-1.25, "-1.25"), (1e-7, "1e-07"), (0.0001, "0.0001"), (0.00001, "1e-05"),
      (1e15, "1e15"),
      (1e16, "1e+16"), (12_345_678_901_234_568, "1.2345678901234568e+16"), (-17_000_000_000_000_000, "-1.7e+16"),
      (9e18, "9e+18"),
    ]
    for (number, text) in numbers where text != "1e15" { #expect(JinjaValue.pythonText(of: number) == text) }
    #expect(JinjaValue.pythonText(of: 1e15) == "1000000000000000.0")
    let message = ChatTemplate.Message(
      role: "assistant", content: [],
      toolCalls: [.object([.init(key: "x", value: .number(0.5)), .init(key: "y", value: .null)])])
    let found = try template("{{ messages[0].tool_calls[0]|tojson }} {{ messages[0].tool_calls[0].x|string }}")
    #expect(try found.render([message], addGenerationPrompt: false) == #"{"x": 0.5, "y": null} 0.5"#)
    let items = try template(
      "{% for k, v in messages[0].tool_calls[0]|items %}{{ k }}={{ v|string|safe }};{% endfor %}")
    #expect(try items.render([message], addGenerationPrompt: false) == "x=0.5;y=None;")
    expectError("comparison of a number with a fraction") {
      _ = try template("{{ messages[0].tool_calls[0].x == 0 }}").render([message], addGenerationPrompt: false)
    }
  }
}
