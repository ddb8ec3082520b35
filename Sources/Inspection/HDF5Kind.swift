// Which of this program's HDF5 files one is.
import Files
import HDF5

/// A checkpoint or a scores file.
package enum HDF5Kind: Sendable {
  case checkpoint, scores

  /// - Throws: `HDF5Error`, or `FileError` for a file of another program.
  package init(of path: String) throws {
    let file = try File.open(path)
    if try file.exists("/adapter") {
      self = .checkpoint
    } else if try file.exists("/rows/rank1_norm2") {
      self = .scores
    } else {
      throw FileError(path, "is neither a checkpoint nor a scores file", remedy: "look at it with h5dump")
    }
  }
}
