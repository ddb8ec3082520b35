// Templates that ask for much memory or time: refused within the budgets, or done in linear time.
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct JinjaBudgetTests {
  func render(_ source: String) throws -> String {
    try ChatTemplate(source: source, file: "t.jinja", specialTokens: [:]).render([], addGenerationPrompt: false)
  }

  /// A template whose `n.s` has 2 to the power of `doublings` times the text.
  func doubled(_ text: String, _ doublings: Int) -> String {
    "{% set n = namespace(s='\(text)') %}{% for i in range(\(doublings)) %}{% set n.s = n.s ~ n.s %}{% endfor %}"
  }

  @Test("A text of 32 MiB is reversed and counted within a second", arguments: ["ab", "é"])
  func reversed(_ text: String) throws {
    var found = ""
    let time = try threadTime { found = try render(doubled(text, 24) + "{{ n.s[::-1]|length }}") }
    #expect(found == "\(text.unicodeScalars.count << 24)")
    #expect(time < .seconds(3))
  }

  @Test(
    "Whatever makes more than the budget is refused in one line before it is made",
    arguments: [
      "{{ (n.s ~ n.s ~ n.s ~ n.s)|length }}", "{{ (n.s|list)|length }}", "{% for c in n.s %}{% endfor %}",
      "{{ n.s.split('a')|length }}", "{{ n.s.replace('a', 'aaaaaaaaaaaaaaaa')|length }}",
      "{{ [n.s, n.s, n.s, n.s]|join(n.s)|length }}",
      "{{ n.s|tojson|tojson|tojson|tojson|length }}", "{{ (n.s + n.s + n.s + n.s)[::-1]|length }}",
      "{% set m = namespace(l=[1]) %}{% for i in range(15) %}{% set m.l = m.l + m.l %}{% endfor %}"
        + "{% for i in range(999) %}{% set m.k = m.l[::-1] %}{% endfor %}",
    ])
  func refused(_ use: String) {
    let time = threadTime {
      expectError("t.jinja: line 1: ", "more than") { _ = try render(doubled("ab", 23) + use) }
    }
    #expect(time < .seconds(5))
  }

  @Test("A search is linear where a plain one takes the product of both lengths")
  func searches() throws {
    let needle = doubled("aaaaaaaa", 17) + "{% set p = n.s[1:] ~ 'b' %}"
    var found = ""
    let time = try threadTime {
      found = try render(needle + "{{ p in n.s }}{{ n.s.split(p)|length }}{{ n.s.replace(p, '') == n.s }}")
    }
    #expect(found == "False1True")
    #expect(time < .seconds(3))
  }

  @Test("Long texts that a list holds many times are compared at their price")
  func comparisons() {
    let lists =
      "{% set a = namespace(l=[n.s]) %}{% set b = namespace(l=[n.s[::-1]]) %}{% for i in range(14) %}"
      + "{% set a.l = a.l + a.l %}{% set b.l = b.l + b.l %}{% endfor %}"
    expectError("steps") { _ = try render(doubled("aa", 19) + lists + "{{ a.l == b.l }}") }
  }

  @Test(
    "Work in a text is nearly linear in its length",
    arguments: [
      "{{ n.s[::-2]|length }}", "{{ n.s.strip('ba')|length }}", "{{ n.s.split('bab')|length }}",
      "{{ n.s.replace('ab', 'c')|length }}", "{{ n.s|tojson|length }}", "{{ ('b' ~ n.s) in n.s }}",
      "{{ n.s[17]|length }}", "{{ (n.s|list)|join('')|length }}",
    ])
  func linear(_ use: String) throws {
    let growth = try growth(to: 1 << 20) {
      doubled("ab", $0.trailingZeroBitCount) + use
    } work: {
      try render($0)
    }
    #expect(growth < 3)
  }
}
