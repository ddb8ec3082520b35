// The JSON parser against RFC 8259 and against input made to break it.
import Files
import Testing

@testable import HuggingFace

@Suite struct JSONTests {
  func parse(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8), file: "f.json") }

  @Test("Values of every kind, escapes and surrogate pairs are read exactly")
  func values() throws {
    #expect(
      try parse(#" {"a":[1,-2.5,1e3,true,false,null],"b":"\u00e9\ud83e\udd99\n\/"} "#)
        == .object([
          .init(
            key: "a", value: .array([.integer(1), .number(-2.5), .number(1000), .bool(true), .bool(false), .null])),
          .init(key: "b", value: .string("é🦙\n/")),
        ]))
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("9223372036854775808") == .number(9223372036854775808))
  }

  @Test(
    "Malformed text is an error with its place, never a crash",
    arguments: [
      "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "[1 2]", "01", "1.", "-", "+1", "1e", "1e999", "nul", "tru",
      "\"a",
      "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "[1]x", "NaN",
      "\u{FEFF}1",
    ])
  func malformed(_ text: String) {
    expectError("f.json", "byte") { _ = try parse(text) }
  }

  @Test("Bytes that are not UTF-8 are refused")
  func notUTF8() {
    expectError("not UTF-8") { _ = try JSON(parsing: [0x22, 0xC3, 0x28, 0x22], file: "f.json") }
    expectError("not UTF-8") { _ = try JSON(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22], file: "f.json") }
  }

  @Test("Nesting is bounded: a million brackets are an error, 60 are not")
  func depth() throws {
    for bracket in ["[", "{\"a\":"] {
      expectError("nested deeper") { _ = try parse(String(repeating: bracket, count: 1_000_000)) }
    }
    _ = try parse(String(repeating: "[", count: 60) + String(repeating: "]", count: 60))
  }

  @Test("Every prefix of a document is refused")
  func prefixes() throws {
    let text = Array(#"{"a":[1.5e-3,"x\u0041",{"b":null}],"c":true}"#.utf8)
    for count in 0..<text.count {
      #expect(throws: HuggingFaceError.self) { _ = try JSON(parsing: Array(text.prefix(count)), file: "f.json") }
    }
  }
}
