// Random templates, made of the grammar and of mutated examples: they render or are refused in one line, within bounds.
import Files
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct JinjaFuzzTests {
  /// Templates of random statements and expressions, most of which are valid.
  struct Writer {
    var random: MutationTests.Generator

    static let atoms = [
      "0", "1", "-1", "2", "7", "9223372036854775807", "(-9223372036854775807 - 1)", "true", "none", "''", "'a'",
      "'é🦙 \\n'", "'abcabc'", "[]", "[1, 'a', none]", "{'k': 1}", "{}", "x", "n.s", "n", "loop", "loop.index",
      "loop.nextitem", "messages", "messages[0].content", "m(1)", "m(x, y=2)", "range(5)", "range(-3, 9)",
      "undefined_name",
    ]
    static let operators = [
      "+", "-", "*", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or",
    ]
    static let endings = [
      "|length", "|list", "|first", "|last", "|join", "|join(',')", "|tojson", "|trim", "|string", "|default('d')",
      " is defined", " is string", " is none", " is not mapping", ".strip()", ".strip('a')", ".split('b')",
      ".replace('a', 'bb')", ".startswith('a')", ".endswith('')", ".items()", ".get('k', 1)", ".k", "['k']", "[0]",
      "[-1]",
      "[1:]", "[::-1]", "[:2:9223372036854775807]", "[9223372036854775807::-1]", "|upper", "()", "[::0]",
    ]

    mutating func pick(_ choices: [String]) -> String { choices[random.below(choices.count)] }

    mutating func expression(_ depth: Int) -> String {
      guard depth > 0 else { return pick(Self.atoms) }
      switch random.below(8) {
      case 0, 1: return "(\(expression(depth - 1)) \(pick(Self.operators)) \(expression(depth - 1)))"
      case 2, 3, 4: return expression(depth - 1) + pick(Self.endings)
      case 5: return "(\(expression(depth - 1)) if \(expression(depth - 1)) else \(expression(0)))"
      case 6: return (random.below(2) == 0 ? "-" : "not ") + expression(depth - 1)
      default: return "\(expression(depth - 1))[\(expression(0)):\(expression(0)):\(expression(0))]"
      }
    }

    mutating func statements(_ depth: Int) -> String {
      var text = ""
      for _ in 0...random.below(3) {
        switch depth > 0 ? random.below(7) : random.below(3) {
        case 0: text += "{{ \(expression(3)) }}"
        case 1: text += "{% set x = \(expression(2)) %}"
        case 2: text += "{% set n.s = \(expression(2)) %}"
        case 3: text += "{% for x in \(expression(1)) %}\(statements(depth - 1)){% endfor %}"
        case 4: text += "{% if \(expression(2)) %}\(statements(depth - 1)){% else %}\(statements(depth - 1)){% endif %}"
        case 5: text += "{%- for k, v in \(expression(1)) if \(expression(1)) -%}{{ k }}{% break %}{% endfor %}"
        default: text += "{% for x in range(20) %}{% set n.s = n.s ~ n.s ~ x %}\(statements(depth - 1)){% endfor %}"
        }
      }
      return text
    }

    mutating func template() -> String {
      "{% macro m(a, y=1) %}{{ a ~ y }}\(statements(1)){% endmacro %}{% set n = namespace(s='ab') %}\n" + statements(2)
    }
  }

  /// Whether a template renders; any error is one short line with its place.
  func renders(_ source: String) throws -> Bool {
    do {
      let message = ChatTemplate.Message(role: "user", content: [.image, .text("a\u{301}")])
      let template = try ChatTemplate(source: source, file: "t.jinja", specialTokens: [:])
      _ = try template.render([message, message], addGenerationPrompt: true)
      return true
    } catch let error as HuggingFaceError {
      let line = error.description
      #expect(!line.contains("\n") && line.hasPrefix("t.jinja: line ") && line.utf8.count < 4000, "\(line)")
      return false
    }
  }

  @Test("Templates of the grammar")
  func grammar() throws {
    var writer = Writer(random: MutationTests.Generator(state: 7))
    var rendered = 0
    for _ in 0..<1500 where try renders(writer.template()) { rendered += 1 }
    #expect((20..<1480).contains(rendered), "both outcomes occur: \(rendered)")
  }

  @Test("Expressions of the grammar alone, which get further")
  func expressions() throws {
    var writer = Writer(random: MutationTests.Generator(state: 8))
    var rendered = 0
    for _ in 0..<20_000 where try renders("{{ \(writer.expression(3)) }}") { rendered += 1 }
    #expect((500..<19_500).contains(rendered), "both outcomes occur: \(rendered)")
  }

  @Test("Examples with a few bytes changed")
  func mutations() throws {
    let cases =
      try Fixtures.json("jinja-cases.json").items.map(\.items[0].text)
      + Fixtures.json("jinja-expressions.json").items.prefix(200).map { "{{ \($0.items[0].text) }}" }
    var generator = MutationTests.Generator(state: 9)
    var rendered = 0
    for source in cases {
      for _ in 0..<20 {
        let bytes = generator.mutate(Array(source.utf8))
        if try renders(String(decoding: bytes, as: UTF8.self)) { rendered += 1 }
      }
    }
    #expect((100..<cases.count * 20 - 100).contains(rendered), "both outcomes occur: \(rendered)")
  }
}
