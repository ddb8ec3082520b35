// The repository's fixtures, which seeds are made of. The fuzz program is run from the top of the repository.
import Batches
import Files
import Foundation

@_silgen_name("__lsan_disable") private func disableLeakSanitizer()
@_silgen_name("__lsan_enable") private func enableLeakSanitizer()

enum Fixture {
  /// The bytes of a file of Tests.
  static func bytes(_ path: String) throws -> [UInt8] {
    Array(try readFile("Tests/\(path)", maximumBytes: 1 << 24))
  }

  static func json(_ path: String) throws -> JSON { try JSON(parsing: bytes(path)) }

  /// Folders of the small models of the parity tests.
  static let parity = ["ParityTests/Resources/a", "ParityTests/Resources/b", "ParityTests/Resources/qwen3-vl"]

  /// A small model that adapters and checkpoints are read for.
  static let base: Result<BaseModel, any Error> = Result {
    // It lives as long as the process. LeakSanitizer does not see the references in Swift's enums, whose upper bits
    // are used otherwise, and would report it.
    disableLeakSanitizer()
    defer { enableLeakSanitizer() }
    return try BaseModel(folder: "Tests/\(parity[0])/model")
  }
}

extension JSON {
  /// The elements of an array, empty for what is none.
  var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }
  /// The text, empty for what is none.
  var text: String { if case .string(let text) = self { text } else { "" } }
  /// The value of an object's key.
  subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key.hasSameBytes(as: key) }?.value
  }
}
