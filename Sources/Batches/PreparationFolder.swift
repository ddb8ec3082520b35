// Preparations kept on disk, so that a later start of the same examples makes no sample and decodes no image.
import Collectives
import Datasets
import Digests
import Files
import Foundation

/// A folder of preparations, each named by the digest of everything that decides what is in it.
///
/// A file that is damaged, or not what its name promises, counts as missing and is written again.
package struct PreparationFolder: Sendable {
  let path: String
  /// Everything beside the files of examples that decides what they are like, in words.
  let settings: String
  /// Takes one line where nothing can be kept; nil: that is an error.
  let warn: (@Sendable (String) -> Void)?

  package init(path: String, settings: String, warn: (@Sendable (String) -> Void)?) {
    (self.path, self.settings, self.warn) = (path, settings, warn)
  }

  /// The name of the preparation of some files; nil where there is no such thing.
  func key(_ files: OpenedFiles, _ purpose: PreparedExamples.Purpose) -> String? {
    guard let files = files.digest, let program = RunningProgram.digest else { return nil }
    return SHA256.hex(
      "preparation \(PreparationFile.schemaVersion)\n\(program)\n\(purpose)\n\(settings.utf8.count) \(settings)\n\(files)"
    )
  }

  private func file(_ key: String) -> String { "\(path)/examples-\(key.prefix(32)).h5" }

  /// The preparation of that name, if every rank has the same one and no image's file was written to since; the work of
  /// finding that out is partitioned over the ranks.
  /// - Important: Collective.
  func read(_ key: String?, _ communicator: any Communicator) throws -> Preparation? {
    let found = key.flatMap { PreparationFile.read(file($0), key: $0) }
    let isUnchanged =
      found.map { found in
        stride(from: communicator.rank, to: found.images.count, by: communicator.size).allSatisfy {
          FileState(ofFile: found.images[$0].path) == found.images[$0].state
        }
      } ?? false
    let votes = try communicator.allGather(Array((isUnchanged ? key ?? "" : "").utf8))
    return votes.allSatisfy { !$0.isEmpty && $0 == votes[0] } ? found : nil
  }

  /// Keeps a preparation.
  func write(_ preparation: Preparation, _ key: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try PreparationFile.write(preparation, key: key, to: file(key))
    } catch {
      guard let warn else { throw error }
      warn("data.prepared: \(error); the run continues, and a later one prepares its examples again")
    }
  }
}
