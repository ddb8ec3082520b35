// A folder that a test writes in and that goes with it, and what tests read of files and errors.
import Foundation

/// A new folder, removed with its last reference.
package final class TemporaryFolder: Sendable {
  /// Absolute, without a slash at its end.
  package let path: String

  /// - Parameter files: texts to begin with, by name.
  package init(_ files: [String: String] = [:]) throws {
    path = FileManager.default.temporaryDirectory.appending(path: "imagelora-tests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, text) in files { try write(name, Array(text.utf8)) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of something in the folder.
  package func path(_ name: String) -> String { "\(path)/\(name)" }

  /// What is in the folder, sorted; empty if it is gone.
  package var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

  /// Writes a file of the folder.
  package func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(filePath: path(name)))
  }
}

/// All bytes of a file.
package func bytes(of path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

/// What an error would print; a second line would break the contract of one.
package func line(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "nothing thrown"
  } catch { return "\(error)" }
}
