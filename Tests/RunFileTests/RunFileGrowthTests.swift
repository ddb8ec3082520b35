// YAML made to be slow to read: twice the text takes about twice the time, and no text overflows the stack.
import TestSupport
import Testing

@testable import RunFile

@Suite("Reading a run file is linear")
struct RunFileGrowthTests {
  @Test(
    "A text of eight times the length",
    arguments: [
      ("", "a", ": 1"), ("a: ", "b", ""), ("a: [0", ",1", "]"), ("a: [", "[", ""), ("", "- ", "a"), ("", "? ", ""),
      ("a: \"", "\\u00e9\u{301}", "\""), ("a: |\n", "  b\n", ""), ("", "&a ", "b"), ("a: ", "*", ""),
      ("", "#\n", "a: 1"),
      ("{", "a: {", ""), ("a: ", "!", ""), ("", "\u{301}", ""), ("a: >\n", "\n", " b"), ("'", "''", "': 1"),
    ])
  func growth(_ head: String, _ part: String, _ tail: String) {
    let growth = TestSupport.growth(to: 60_000 / part.utf8.count) {
      head + String(repeating: part, count: $0) + tail
    } work: {
      try? Tree(yaml: $0, whole: "run.yaml") { "\($0):\($1)" }
    }
    #expect(growth < 3)
  }

  @Test("Ten thousand keys are read once each")
  func keys() {
    let growth = TestSupport.growth(to: 8000) {
      (0..<$0).map { "k\($0): 1\n" }.joined()
    } work: {
      try? Tree(yaml: $0, whole: "run.yaml") { "\($0):\($1)" }
    }
    #expect(growth < 3)
  }
}
