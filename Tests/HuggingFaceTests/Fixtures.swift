// Folders of released files, JSON fixtures and model folders that a test writes itself.
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

/// A folder that lives as long as the value and holds what the test writes.
final class TemporaryFolder {
  let path: String

  init(_ files: [String: String] = [:]) throws {
    path = NSTemporaryDirectory() + "/huggingface-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, text) in files { try write(name, Array(text.utf8)) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
  }
}

/// Expects a `HuggingFaceError` that prints as one line with all of `words` in it.
func expectError(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation, by body: () throws -> Void) {
  let error = #expect(throws: HuggingFaceError.self, sourceLocation: sourceLocation) { try body() }
  let line = error?.description ?? ""
  for word in words { #expect(line.contains(word), "\(line)", sourceLocation: sourceLocation) }
  #expect(!line.contains("\n"), sourceLocation: sourceLocation)
}
