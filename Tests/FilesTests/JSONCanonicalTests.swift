import Files
import Testing

@Suite("The canonical text of a JSON document")
struct JSONCanonicalTests {
  private func canonical(_ text: String) throws -> String { try JSON(parsing: Array(text.utf8)).canonical }

  @Test func layoutAndOrderDoNotMatter() throws {
    let text = #"{"a":[1,2.5,true,null,"x/y"],"b":{"":{},"c":[]}}"#
    #expect(try canonical(text) == text)
    #expect(try canonical(#" { "b" : {"c": [ ], "": { }}, "a": [1.0, 25e-1, true, null, "x\/y"] }"#) == text)
  }

  @Test func everyContentHasItsOwn() throws {
    let texts = [
      "0", "-0.0", "false", "null", #""0""#, "[]", "{}", "[0]", "[[0]]", #"{"a":0}"#, #"{"a":0,"b":0}"#, #"{"b":0}"#,
      #""é""#, #""e\u0301""#, #""\"""#, #""\\""#, #""\u0000""#, #""\n""#, "1e300", "0.1", "9007199254740993",
      #"{"a":0,"a":0}"#, #"["a","b"]"#, #"["a,b"]"#,
    ]
    let found = try texts.map(canonical)
    #expect(Set(found.map { ExactString($0) }).count == texts.count)
    // It is JSON of the same contents.
    for text in found { #expect(try ExactString(canonical(text)) == ExactString(text)) }
  }
}
