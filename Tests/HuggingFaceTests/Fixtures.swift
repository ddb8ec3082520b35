// Folders of released files, JSON fixtures and expected errors.
import Files
import Foundation
import Testing

@testable import HuggingFace

enum Fixtures {
  /// A folder or file of Resources.
  static func path(_ name: String) -> String {
    Bundle.module.bundlePath + "/Resources/" + name
  }

  static func json(_ name: String) throws -> JSON {
    let file = path(name)
    return try JSON(parsing: MappedFile(path: file).copy(), file: file)
  }
}

extension JSON {
  var items: [JSON] { if case .array(let items) = self { items } else { [] } }
  var text: String { if case .string(let text) = self { text } else { "" } }
  var integers: [Int] { items.compactMap { if case .integer(let value) = $0 { value } else { nil } } }
  subscript(key: String) -> JSON {
    if case .object(let members) = self { members.first { $0.key == key }?.value ?? .null } else { .null }
  }
}

/// Expects a `HuggingFaceError` that prints as one line with all of `words` in it.
func expectError(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation, by body: () throws -> Void) {
  let error = #expect(throws: HuggingFaceError.self, sourceLocation: sourceLocation) { try body() }
  let line = error?.description ?? ""
  for word in words { #expect(line.contains(word), "\(line)", sourceLocation: sourceLocation) }
  #expect(!line.contains("\n"), sourceLocation: sourceLocation)
}
