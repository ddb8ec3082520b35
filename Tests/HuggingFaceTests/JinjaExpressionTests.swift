// Arithmetic, slices and string methods against Python's Jinja, and at the ends of 64 bits.
import Files
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct JinjaExpressionTests {
  func render(_ source: String) throws -> String {
    try ChatTemplate(source: source, file: "t.jinja", specialTokens: [:]).render([], addGenerationPrompt: false)
  }

  @Test("Random expressions give what Jinja 3.1 gives, or an error where it has no value of 64 bits")
  func againstJinja() throws {
    let cases = try Fixtures.json("jinja-expressions.json").items
    #expect(cases.count >= 800)
    for item in cases {
      let source = item.items[0].text
      if item.items[1] == .null {
        let error = #expect(throws: HuggingFaceError.self, "\(source)") { try render("\n{{ \(source) }}") }
        #expect(error?.description.hasPrefix("t.jinja: line 2: ") == true, "\(source)")
      } else {
        let text = try #require(try? render("{{ \(source) }}"), "\(source)")
        #expect(text.utf8.elementsEqual(item.items[1].text.utf8), "\(source): \(text)")
      }
    }
  }

  static let (least, largest) = ("(-9223372036854775807 - 1)", "9223372036854775807")

  @Test(
    "Integers at both ends give Python's numbers",
    arguments: [
      ("9223372036854775806 % 9223372036854775807", "9223372036854775806"),
      ("(0-9223372036854775807-1) // 3", "-3074457345618258603"), ("\(least) // \(largest)", "-2"),
      ("\(least) % \(largest)", "9223372036854775806"), ("\(largest) % \(least)", "-1"), ("\(least) % -1", "0"),
      ("\(largest) // \(least)", "-1"), ("\(least) // 1", "-9223372036854775808"),
      ("-1 % \(largest)", "9223372036854775806"),
      ("'abc'[\(least):\(largest)]", "abc"), ("'abc'[\(largest):\(least):\(least)]", "c"),
      ("'abc'[::\(largest)]", "a"), ("[1, 2, 3][\(largest):\(least):-1]|tojson", "[3, 2, 1]"),
      ("range(\(least), \(least) + 2)|list|tojson", "[-9223372036854775808, -9223372036854775807]"),
      ("range(\(largest) - 1, \(largest))|list|tojson", "[9223372036854775806]"),
    ])
  func extremes(_ source: String, _ value: String) throws { #expect(try render("{{ \(source) }}") == value) }

  @Test(
    "What does not fit is one line with the file and the template's line",
    arguments: [
      "-\(least)", "\(least) // -1", "\(least) - 1", "\(largest) + 1", "\(least) * -1", "\(largest) * 2",
      "0 - \(least)", "range(\(least), \(largest))|length", "'abc'[::0]",
    ])
  func overflows(_ source: String) {
    expectError("t.jinja: line 3: ") { _ = try render("a\nb\n{{ \(source) }}") }
  }

  @Test("Loops count from both ends")
  func loops() throws {
    let source =
      "{% for i in 'aé🦙' %}{{ loop.index }}{{ loop.revindex0 }}{{ loop.previtem }}{{ i }}{% endfor %}"
    expectError("loop.previtem") { _ = try render(source) }
    #expect(try render(source.replacing("{{ loop.previtem }}", with: "")) == "12a21é30🦙")
  }

  @Test("Slices take scalars, whatever is between them, in both directions")
  func slices() throws {
    let text = "a\u{301}日🦙b"
    let scalars = Array(text.unicodeScalars)
    for start in -7...7 {
      for end in -7...7 {
        for step in [-9, -3, -2, -1, 1, 2, 3, 9] {
          let slice = JinjaSlice(start: start, end: end, step: step, of: scalars.count)
          let expected = slice.places.map { String(scalars[$0]) }.joined()
          #expect(JinjaText.slice(text, slice).utf8.elementsEqual(expected.utf8), "[\(start):\(end):\(step)]")
        }
      }
    }
  }
}
