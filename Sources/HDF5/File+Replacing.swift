// Files are replaced completely or not at all: written under a temporary name, synchronised, renamed.
import Files
import Glibc

extension File {
  /// Writes a new file next to `path` and renames it once it is on the disk. If anything fails, the earlier file at
  /// `path` stays, and no partial file is left.
  /// - Parameters:
  ///   - partial: the file's name until then, `path` and ".partial" unless stated; processes that write the same file
  ///     once each need their own.
  ///   - build: fills the file.
  ///   - sealed: called with the finished file's temporary path, before it gets its name.
  /// - Throws: `HDF5Error`, or what the closures throw.
  package static func replace(
    _ path: String, partial: String? = nil, sealed: (String) throws -> Void = { _ in },
    build: (borrowing File) throws -> Void
  ) throws {
    let partial = partial ?? path + ".partial"
    do {
      let file = try create(partial)
      try build(file)
      try file.close()
      try sealed(partial)
      let attempt = Attempt(attempt: "replace", file: path)
      guard rename(partial, path) == 0 else { throw attempt.systemError("rename") }
      try synchronizeFolder(of: path)
    } catch {
      unlink(partial)
      throw error
    }
  }
}
