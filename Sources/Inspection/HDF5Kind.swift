// Which of this program's HDF5 files one is.
import Artifacts
import Digests
import Files
import Foundation
import HDF5

/// A checkpoint, a scores file, or a pack of rows and images.
package enum HDF5Kind: Sendable {
  case checkpoint, scores, pack

  /// - Throws: `HDF5Error`, or `FileError` for a damaged file, of which nothing is parsed, and for one of another
  ///   program.
  package init(of link: String) throws {
    let path = URL(fileURLWithPath: link).resolvingSymlinksInPath().path
    switch try Seal.check(path) {
    case .valid: break
    case .broken:
      throw FileError(link, "damaged: its bytes are not those that were saved", remedy: "use another file")
    case .missing:
      // Of versions before 0.3.0: checkpoints have a checksum beside them, scores files have none.
      let isCheckpoint = CheckpointName(URL(fileURLWithPath: path).lastPathComponent) != nil
      if isCheckpoint || FileManager.default.fileExists(atPath: path + ".sha256") { try CheckpointFolder.verify(path) }
    }
    let file = try File.open(path)
    // First: scores have a group where a pack has its rows.
    if try file.exists("/images/bytes") {
      self = .pack
    } else if try file.exists("/adapter") {
      self = .checkpoint
    } else if try file.exists("/rows/rank1_norm2") {
      self = .scores
    } else {
      throw FileError(path, "is neither a checkpoint, nor a scores file, nor a pack", remedy: "look at it with h5dump")
    }
  }
}
