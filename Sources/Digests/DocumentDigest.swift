// The digest of a JSON document: a key of the document itself, over everything else in it.
import Files
import Foundation

/// Digests of the JSON documents that this program writes. A document without the key is read as it is, so people may
/// write and change documents; one with it has the contents that it was written with.
package enum DocumentDigest {
  package static let key: ExactString = "digest"

  /// SHA-256 of a document's canonical text without some of its top-level keys, its own digest's unless stated.
  package static func of(_ document: JSON, leavingOut keys: Set<ExactString> = [key]) -> String {
    guard case .object(let members) = document else { return SHA256.hex(document.canonical) }
    return SHA256.hex(JSON.object(members.filter { !keys.contains(ExactString($0.key)) }).canonical)
  }

  /// Checks a document's digest, if it has one.
  /// - Parameter again: how to make the file again, as "export it again".
  /// - Throws: `FileError` if anything in the document is not what it was when the digest was made.
  package static func check(_ document: JSON, file: String, again: String) throws(FileError) {
    guard case .object(let members) = document else { return }
    let stated = members.filter { ExactString($0.key) == key }
    guard !stated.isEmpty else { return }
    guard stated.count == 1, stated[0].value == .string(of(document)) else {
      throw FileError(
        file, "damaged or changed since it was written: its digest is not that of its other keys",
        remedy: "\(again), or take the key digest out if the change is meant")
    }
  }

  /// Encodes a document with keys sorted and its digest among them, and ends it with a line break.
  /// - Precondition: the value is encoded as an object.
  package static func encode(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    // What is digested is what a reader parses, not what was encoded.
    let document = try JSON(parsing: [UInt8](encoder.encode(value)))
    let sealed = JoinedDocuments(value, [key.text: of(document)])
    return try encoder.encode(sealed) + Data("\n".utf8)
  }
}

/// Two keyed documents as one.
package struct JoinedDocuments<First: Encodable, Second: Encodable>: Encodable {
  let first: First
  let second: Second

  package init(_ first: First, _ second: Second) { (self.first, self.second) = (first, second) }

  package func encode(to encoder: any Encoder) throws {
    try first.encode(to: encoder)
    try second.encode(to: encoder)
  }
}
