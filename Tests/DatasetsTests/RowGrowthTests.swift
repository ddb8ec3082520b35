// Rows made to be slow to read: twice the bytes take about twice the time.
import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Reading rows is linear")
struct RowGrowthTests {
  static func row(_ content: String) -> String { #"{"id":"a","messages":[{"role":"user","content":"\#(content)"}]}"# }

  @Test(
    "Twice the bytes take at most three times as long",
    arguments: [
      (#"{"id":"a","messages":[{"role":"user","content":""#, "\u{301}\u{316}", #""}]}"#),
      (#"{"id":"a","messages":[{"role":"user","content":""#, "<image", #""}]}"#),
      (#"{"id":"a","messages":[{"role":"user","content":""#, "\\\\<", #""}]}"#),
      (#"{"id":"a","messages":[{"role":"user","content":"a"}"#, #",{"role":"assistant","content":"a"}"#, "]}"),
      (#"{"id":"a","messages":[{"role":"user","content":[{"type":"text","text":"a"}"#, #",{"text":"<b"}"#, "]}]}"),
      (#"{"messages":[{"role":"user","content":"a"}],"_":{"a":1"#, #","a":1"#, "}}"),
      (#"{"id":"a""#, #","_a":1"#, "}"), ("[", "[", ""), ("[", "{},", "0]"), ("", "\n", ""), ("[\"", "\\", ""),
      (" ", " ", ""),
      (#"{"messages":[{"role":"user","content":"<image>"#, "<image>", #""}]}"#),
    ])
  func growth(_ head: String, _ part: String, _ tail: String) {
    let growth = TestSupport.growth(to: 800_000 / part.utf8.count) {
      Data((head + String(repeating: part, count: $0) + tail).utf8)
    } work: {
      try? ExampleReader(policy: .skip).read($0, name: "rows")
    }
    #expect(growth < 3)
  }

  @Test("Many bad rows, all of one id, are reported in linear time")
  func manyRows() {
    let growth = TestSupport.growth(to: 8000) {
      Data((String(repeating: Self.row("a") + "\n", count: $0) + "{").utf8)
    } work: {
      try? ExampleReader().read($0, name: "rows").examples.count
    }
    #expect(growth < 3)
  }
}
