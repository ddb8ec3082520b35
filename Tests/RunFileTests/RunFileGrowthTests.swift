// YAML made to be slow to read: twice the text takes about twice the time, and no text overflows the stack.
import TestSupport
import Testing

@testable import RunFile

@Suite("Reading a run file is linear")
struct RunFileGrowthTests {
  @Test(
    "Twice the text takes at most three times as long",
    arguments: [
      ("", "a", ": 1"), ("a: ", "b", ""), ("a: [0", ",1", "]"), ("a: [", "[", ""), ("", "- ", "a"), ("", "? ", ""),
      ("a: \"", "\\u00e9\u{301}", "\""), ("a: |\n", "  b\n", ""), ("", "&a ", "b"), ("a: ", "*", ""),
      ("", "#\n", "a: 1"),
      ("{", "a: {", ""), ("a: ", "!", ""), ("", "\u{301}", ""), ("a: >\n", "\n", " b"), ("'", "''", "': 1"),
    ])
  func growth(_ head: String, _ part: String, _ tail: String) {
    let count = 30_000 / part.utf8.count
    let texts = [count, 2 * count].map { head + String(repeating: part, count: $0) + tail }
    let ratio = TestSupport.growth { try? Tree(yaml: texts[$0], whole: "run.yaml") { "\($0):\($1)" } }
    #expect(ratio < 3)
  }

  @Test("Ten thousand keys are read once each")
  func keys() {
    let texts = [4000, 8000].map { (0..<$0).map { "k\($0): 1\n" }.joined() }
    #expect(TestSupport.growth { try? Tree(yaml: texts[$0], whole: "run.yaml") { "\($0):\($1)" } } < 3)
  }
}
