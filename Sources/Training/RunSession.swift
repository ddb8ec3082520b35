// A start of a run: when, from which step, on how many ranks, by which version; sessions.jsonl keeps one a line.
import Collectives
import Foundation

/// The version of this program.
package let programVersion = "0.1.0"

/// One start of a run; a resumed run has several.
package struct RunSession: Codable, Sendable, Equatable {
  /// UTC, as `2026-01-31T12:00:00Z`.
  package var started: String
  /// Optimizer steps that were made before.
  package var after_step: Int
  package var world_size: Int
  package var threads: Int
  /// Arithmetic of the products with the frozen weights: `fp32` or `bf16`.
  package var precision: String
  package var version: String

  init(_ job: Job, afterStep: Int, now: Date = .now) {
    started = now.formatted(.iso8601)
    after_step = afterStep
    world_size = job.communicator.size
    threads = job.run.model.threads
    precision = job.base.arithmetic.rawValue
    version = programVersion
  }
}

extension RunSession {
  static let fileName = "sessions.jsonl"

  /// Adds a line to a folder's file; a run that begins at step 0 begins the file too.
  /// - Throws: `CheckpointError`.
  func append(to directory: String) throws {
    let path = "\(directory)/\(Self.fileName)"
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    do {
      let earlier = after_step > 0 ? FileManager.default.contents(atPath: path) ?? Data() : Data()
      let line = try encoder.encode(self) + Data("\n".utf8)
      try (earlier + line).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw CheckpointError(file: path, problem: "cannot be written: \(error.localizedDescription)")
    }
  }
}
