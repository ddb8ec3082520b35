// metrics.jsonl: one line per step and one per validation, in a run's checkpoint folder.
import Files
import Foundation

/// One line of metrics.jsonl; docs/formats.md explains the keys.
package struct MetricsEntry: Codable, Sendable, Equatable {
  package var step: Int
  package var epoch: Int?
  package var loss: Double?
  package var learning_rate: Double?
  package var gradient_norm: Double?
  package var tokens: Int?
  package var rows: Int?
  package var compute_seconds: Double?
  package var reduce_seconds: Double?
  package var rows_per_second: Double?
  package var tokens_per_second: Double?
  package var validation_loss: Double?
  package var validation_rows: Int?
  package var validation_tokens: Int?

  package init(step: Int) { self.step = step }
}

/// The file, open for more lines.
package final class MetricsFile {
  package static let name = "metrics.jsonl"

  private let path: String
  private let file: FileHandle

  /// Opens a folder's file; lines after step `step` are dropped, since a resumed run repeats those steps.
  /// - Throws: `FileError`.
  package init(directory: String, after step: Int) throws(FileError) {
    path = "\(directory)/\(Self.name)"
    let lines = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? []
    let kept = lines.filter { line in
      let entry = try? JSONDecoder().decode(MetricsEntry.self, from: Data(line.utf8))
      return entry.map { $0.step <= step && step > 0 } ?? false
    }
    try writeAtomically(Data(kept.map { $0 + "\n" }.joined().utf8), to: path)
    do {
      file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      _ = try file.seekToEnd()
    } catch {
      throw FileError.unwritable(path, cause: error)
    }
  }

  /// Adds a line in one write.
  /// - Throws: `FileError`.
  package func append(_ entry: MetricsEntry) throws(FileError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    do {
      try file.write(contentsOf: encoder.encode(entry) + Data("\n".utf8))
    } catch {
      throw FileError.unwritable(path, cause: error)
    }
  }
}
