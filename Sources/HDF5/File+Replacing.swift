// Whole files or none: written beside their name, synchronised, renamed.
import Glibc

extension File {
  /// Writes a new file beside `path` and renames it there once it is on the disk; whatever fails, what stood at `path`
  /// before stays, and nothing half-written is left.
  /// - Parameters:
  ///   - partial: the file's name until then, `path` and ".partial" unless stated; processes that write the same file
  ///     at once each need their own.
  ///   - build: fills the file.
  ///   - sealed: called with the finished file's temporary path, before it gets its name.
  /// - Throws: `HDF5Error`, or what the closures throw.
  public static func replace(
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
      guard rename(partial, path) == 0 else { throw attempt.error(String(cString: strerror(errno)), in: "rename") }
      try synchronizeFolder(of: path)
    } catch {
      unlink(partial)
      throw error
    }
  }

  /// Makes names in a file's folder last through a crash (fsync of the folder).
  public static func synchronizeFolder(of path: String) throws {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY)
    let synchronized = descriptor >= 0 && fsync(descriptor) == 0
    let reason = String(cString: strerror(errno))
    if descriptor >= 0 { Glibc.close(descriptor) }
    guard synchronized else { throw Attempt(attempt: "synchronise", file: folder).error(reason, in: "fsync") }
  }
}
