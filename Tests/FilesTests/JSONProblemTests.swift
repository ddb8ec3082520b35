// What a decoder found wrong, in this program's words: never Foundation's.
import Foundation
import Testing

@testable import Files

@Suite("Problems of JSON documents")
struct JSONProblemTests {
  private struct Document: Decodable {
    struct Part: Decodable { var name: String }
    var list: [Int]
    var flag: Bool?
    var ratio: Double?
    var parts: [Part]?
    var heads: [String: [Int]]?
  }

  @Test(
    "the place, what was expected and what is there",
    arguments: [
      (#"{"list": "a"}"#, "list: expected a list, found a string"),
      (#"{"list": [1, "a"]}"#, "list[1]: expected a whole number, found a string"),
      (#"{"list": [], "flag": 1}"#, "flag: expected true or false, found an integer"),
      (#"{"list": [], "ratio": {}}"#, "ratio: expected a number, found an object"),
      (#"{"list": [], "parts": [{"name": null}]}"#, "parts[0].name: expected a text, found null"),
      (#"{"list": [], "parts": [{}]}"#, "parts[0]: has no \"name\""),
      (#"{"list": [], "heads": {"7": [true]}}"#, "expected a whole number, found a Boolean"),
      (#"{"list": [0.5]}"#, "a whole number"), (#"[]"#, "expected an object, found an array"),
      (#"{"#, "not valid JSON: byte 1: "), (#"{"list": oops}"#, "not valid JSON: byte 9: not a JSON value"),
      ("", "not valid JSON: byte 0: JSON ends too early"),
    ])
  func words(text: String, expected: String) {
    let data = Data(text.utf8)
    let error = #expect(throws: (any Error).self) { try JSONDecoder().decode(Document.self, from: data) }
    let problem = error.map { jsonProblem($0, in: data) } ?? ""
    #expect(problem.contains(expected), "\(problem)")
    #expect(!problem.contains("Expected to decode") && !problem.contains("<") && !problem.contains("\n"))
  }

  @Test("names of the same letters in two Unicode forms are two names, in the order of their bytes")
  func exactNames() {
    let (composed, decomposed): (ExactString, ExactString) = ("caf\u{E9}", "cafe\u{301}")
    #expect(composed.text == decomposed.text && composed != decomposed)
    #expect(Set([composed, decomposed, composed]).count == 2)
    #expect([composed, decomposed].sorted() == [decomposed, composed])
    #expect(!"\u{212A}".hasSameBytes(as: "K") && "K".hasSameBytes(as: "K"))
  }
}
