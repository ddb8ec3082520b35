import Files
import TestSupport
import Testing

@testable import Digests

@Suite("The digest that a JSON document has as a key")
struct DocumentDigestTests {
  private struct Document: Encodable {
    var name = "a/b"
    var alpha = 0.1
    var heads = ["0": [1, 2], "1": []]
  }

  private func check(_ text: String) throws {
    try DocumentDigest.check(JSON(parsing: Array(text.utf8)), file: "d.json", again: "write it again")
  }

  @Test func everyChangeOfContentsIsRefused() throws {
    let text = String(decoding: try DocumentDigest.encode(Document()), as: UTF8.self)
    try check(text)
    // Another layout and order.
    guard case .object(let members) = try JSON(parsing: Array(text.utf8)) else {
      throw JSONSyntaxError(byte: 0, problem: "")
    }
    try check("{" + members.reversed().map { "\"\($0.key)\":  \($0.value.canonical)" }.joined(separator: ",") + "}")
    for (old, new) in [
      ("0.1", "0.2"), ("a/b", "a/c"), ("\"1\"", "\"2\""), ("\"alpha\"", "\"beta\""), ("{\n", "{ \"more\": 1,\n"),
      ("{\n", "{ \"digest\": \"x\",\n"), ("{\n", "{ \"name\": \"a/b\",\n"),
    ] {
      let changed = text.replacing(old, with: new, maxReplacements: 1)
      #expect(
        line { try check(changed) }
          == "d.json: damaged or changed since it was written: its digest is not that of its other keys; write it again, "
          + "or take the key digest out if the change is meant", "\(changed)")
    }
  }

  @Test func documentsWithoutOneAreReadAsTheyAre() throws {
    for text in [#"{"name": 3}"#, "[1]", "7", #"{"Digest": 1}"#] { try check(text) }
  }
}
