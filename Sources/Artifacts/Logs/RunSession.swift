// sessions.jsonl: one line per start of a run, in its checkpoint folder.
import Files
import Foundation

/// The version of this program.
package let programVersion = "0.2.0"

/// One start of a run; a resumed run has several.
package struct RunSession: Codable, Sendable, Equatable {
  /// UTC, as `2026-01-31T12:00:00Z`.
  package var started: String
  /// Optimizer steps that were made before.
  package var after_step: Int
  package var world_size: Int
  package var threads: Int
  /// Compute precision: `fp32` or `bf16`.
  package var precision: String
  package var version = programVersion

  package init(afterStep: Int, worldSize: Int, threads: Int, precision: String, now: Date = .now) {
    started = now.formatted(.iso8601)
    (after_step, world_size, self.threads, self.precision) = (afterStep, worldSize, threads, precision)
  }

  package static let fileName = "sessions.jsonl"
  /// Largest file that is read, in bytes.
  private static let maximumBytes = 1 << 24

  /// Adds a line to a folder's file; a run that begins at step 0 starts a new file.
  /// - Throws: `FileError`.
  package func append(to directory: String) throws(FileError) {
    let path = "\(directory)/\(Self.fileName)"
    let earlier = after_step > 0 ? try earlierLines(path) : Data()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let line: Data
    do { line = try encoder.encode(self) } catch { throw FileError.unwritable(path, cause: error) }
    try writeAtomically(earlier + line + Data("\n".utf8), to: path)
  }

  /// The readable lines of a folder's file.
  package static func all(in directory: String) -> [RunSession] {
    guard let data = try? readFile("\(directory)/\(fileName)", maximumBytes: maximumBytes) else { return [] }
    let decoder = JSONDecoder()
    return data.split(separator: UInt8(ascii: "\n")).compactMap {
      try? decoder.decode(RunSession.self, from: Data($0))
    }
  }
}
