// The Jinja subset: each rule once, with the output that Jinja 3.1 gives, and templates made to hang or crash.
import Testing

@testable import HuggingFace

@Suite struct JinjaTests {
  func render(_ source: String) throws -> String {
    let template = try ChatTemplate(source: source, file: "t.jinja", specialTokens: ["eos_token": "<e>"])
    return try template.render(
      [
        .init(role: "user", content: [.text("Hi <b>"), .image]), .init(role: "assistant", content: [.text("yo\n")]),
      ], addGenerationPrompt: true)
  }

  @Test("Expressions and statements give what Jinja 3.1 gives in transformers (scripts/make-tokenizer-fixtures.py)")
  func outputs() throws {
    let cases = try Fixtures.json("jinja-cases.json").items
    #expect(cases.count > 60)
    for item in cases {
      let output = try render(item.items[0].text)
      #expect(output.utf8.elementsEqual(item.items[1].text.utf8), "\(item.items[0].text): \(output)")
    }
  }

  @Test("What is not supported or wrong is an error that names it", arguments: JinjaCases.errors)
  func errors(_ item: (source: String, word: String)) {
    expectError("t.jinja", "line", item.word) { _ = try render(item.source) }
  }

  @Test("Templates that would hang, explode or recurse for ever are stopped")
  func bombs() {
    let loops = String(repeating: "{% for i in range(60000) %}", count: 3) + String(repeating: "{% endfor %}", count: 3)
    expectError("steps") { _ = try render(loops) }
    expectError("deeper") { _ = try render("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}") }
    let doubling = "{% set n = namespace(s='aaaaaaaa') %}{% for i in range(100) %}{% set n.s = n.s + n.s %}{% endfor %}"
    expectError("more than") { _ = try render(doubling) }
    expectError("renders more") {
      _ = try render(
        "{% set n = namespace(s='aaaaaaaa') %}{% for i in range(20) %}{% set n.s = n.s + n.s %}{% endfor %}"
          + "{% for i in range(1000) %}{{ n.s }}{% endfor %}")
    }
    let nesting = "{% set n = namespace(s=[]) %}{% for i in range(60000) %}{% set n.s = [n.s, n.s] %}{% endfor %}"
    expectError("nests too deep") { _ = try render(nesting) }
    expectError("MiB in all") {
      _ = try render(
        "{% set n = namespace(s='" + String(repeating: "a", count: 4096) + "') %}"
          + "{% for i in range(15) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s | tojson }}")
    }
    let twins = "{% set n = namespace(s=[1]) %}{% for i in range(14) %}{% set n.s = [n.s, n.s] %}{% endfor %}"
    let comparisons = "{% for i in range(60000) %}{% if n.s == n.s %}{% endif %}{% endfor %}"
    expectError("steps") { _ = try render(twins + comparisons) }
    expectError("range") { _ = try render("{{ range(9223372036854775807) | length }}") }
  }

  @Test("Deep and long source text is refused without recursion to match")
  func deepSource() {
    let many = 100_000
    let brackets = String(repeating: "(", count: 100) + "1" + String(repeating: ")", count: 100)
    expectError("nested deeper") { _ = try render("{{ " + brackets + " }}") }
    expectError("tokens") { _ = try render("{{ " + String(repeating: "(", count: many) + " }}") }
    expectError("tokens") { _ = try render("{{ 1" + String(repeating: "+1", count: many) + " }}") }
    expectError("tokens") { _ = try render("{{ " + String(repeating: "not ", count: many) + "1 }}") }
    expectError("nested deeper") { _ = try render(String(repeating: "{% if 1 %}", count: many)) }
    expectError("deeper") { _ = try render("{{ 1" + String(repeating: "+1", count: 250) + " }}") }
  }
}

enum JinjaCases {
  static let errors: [(source: String, word: String)] = [
    ("{{ x }}", "x"), ("{{ messages[0].name }}", "name"), ("{{ messages }}", "prints a list"), ("{{ x.y }}", "x"),
    ("\n\n{{ messages[7].role }}", "line 3"), ("{{ raise_exception('no ' + 'go') }}", "no go"),
    ("{{ 'a' | upper }}", "filter upper"), ("{{ 'a' is odd }}", "test odd"), ("{{ 'a'.title() }}", "method title"),
    ("{{ strftime_now('%Y') }}", "strftime_now"), ("{% include 'x' %}", "include"), ("{% raw %}", "raw"),
    ("{% call f() %}", "call"), ("{% set x %}", "set"), ("{% set a, b = 1 %}", "set"), ("{% for %}", "name"),
    ("{% if %}x{% endif %}", "value"), ("{% if true %}x", "endif"), ("{% for i in [1] %}", "endfor"),
    ("{% endif %}", "endif"), ("{% else %}", "else"), ("{% break %}", "break"),
    ("{% for i in [] %}{% else %}{% break %}{% endfor %}", "break"), ("{{ 1", "closed"), ("{% if", "closed"),
    ("{# x", "closed"), ("{{ 'a", "closed"), ("{{ 'a\\", "closed"), ("{{ 1.5 }}", "integer"), ("{{ 1 / 2 }}", "/"),
    ("{{ 2 ** 3 }}", "value"), ("{{ 9223372036854775808 }}", "integer"),
    ("{{ 9223372036854775807 + 1 }}", "overflows"), ("{{ 1 // 0 }}", "division"), ("{{ 1 % 0 }}", "division"),
    ("{{ (-9223372036854775807 - 1) // -1 }}", "overflows"), ("{{ (1, 2) }}", "tuples"),
    ("{{ [1, 2 }}", "closes nothing"), ("{{ 1 2 }}", "unexpected"), ("{{ ) }}", "closes nothing"), ("{{ }}", "value"),
    ("{{ 'a' * 3 }}", "*"), ("{{ 'a' < 'b' }}", "<"), ("{{ 'a'[::0] }}", "step"), ("{{ 'a'['b':] }}", "slice"),
    ("{{ 'abc'[1:2:3:4] }}", "slice"), ("{{ messages[none] }}", "index"), ("{{ 1[0] }}", "element"),
    ("{{ 'a\\x41' }}", "escape"), ("{{ @ }}", "@"), ("{{ {1: 2} }}", "key"), ("{{ messages() }}", "called"),
    ("{{ f(1) }}", "f"), ("{{ loop.cycle }}", "loop"),
    ("{% for i in [1] %}{{ loop.depth }}{% endfor %}", "loop.depth"),
    ("{% for i in [1] recursive %}{% endfor %}", "recursive"), ("{% for a, b in [1] %}{% endfor %}", "apart"),
    ("{% for i in 5 %}{% endfor %}", "loop over"), ("{% set a.b = 1 %}", "namespace"),
    ("{% set n = namespace() %}{% set n.a = n %}", "cannot hold"),
    ("{% set n = namespace() %}{{ [n] }}", "namespace"), ("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "takes 1"),
    ("{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", "does not take b"),
    ("{% if true %}{% macro f() %}{% endmacro %}{% endif %}", "macro"), ("{{ [1] | tojson(indent=2) }}", "indent"),
  ]
}
