// Small files written whole or not at all, and the check that a path can be written before the work is done.
import Foundation
import Glibc

/// Writes a file beside `path` as `NAME.partial`, synchronizes it and renames it. What a killed writer has left under
/// that name is written over. Processes that write the same file at once do it one after the other.
/// - Throws: `FileError` with the system's message; what was at `path` is then still there.
package func writeAtomically(_ data: Data, to path: String) throws(FileError) {
  let partial = path + ".partial"
  let descriptor = openAlone(partial)
  guard descriptor >= 0 else { throw .unwritable(path, cause: SystemError.last("open")) }
  defer { Glibc.close(descriptor) }
  func failed(_ call: String) -> FileError {
    let cause = SystemError.last(call)
    unlink(partial)
    return .unwritable(path, cause: cause)
  }
  var written = 0
  while written < data.count {
    let count = data.withUnsafeBytes { bytes in
      Glibc.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
    }
    guard count > 0 || errno == EINTR else { throw failed("write") }
    written += max(0, count)
  }
  guard fsync(descriptor) == 0 else { throw failed("fsync") }
  guard rename(partial, path) == 0 else { throw failed("rename") }
  try synchronizeFolder(of: path)
}

/// Opens an empty file that no other process of this program writes as long as it is open; -1 with `errno`.
private func openAlone(_ path: String) -> Int32 {
  while true {
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { return -1 }
    // On file systems without locks the last writer wins.
    _ = flock(descriptor, LOCK_EX)
    var (own, named) = (stat(), stat())
    // Whoever held the lock has renamed its file, this one, or removed it.
    if fstat(descriptor, &own) == 0, stat(path, &named) == 0, own.st_ino == named.st_ino, own.st_dev == named.st_dev {
      if ftruncate(descriptor, 0) == 0 { return descriptor }
      let cause = errno
      Glibc.close(descriptor)
      errno = cause
      return -1
    }
    Glibc.close(descriptor)
  }
}

/// Throws unless a file can be made at `path`, so that a wrong path is reported before the work and not after it.
package func checkWritable(_ path: String) throws(FileError) {
  let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
    throw FileError(path, "cannot be written: there is no folder \(folder)", remedy: "make it first")
  }
  isFolder = false
  guard FileManager.default.isWritableFile(atPath: folder),
    !(FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue)
  else {
    throw FileError(path, "cannot be written", remedy: "check its folder's permissions and that it is no folder")
  }
}

/// Makes names in a file's folder last through a crash (fsync of the folder).
package func synchronizeFolder(of path: String) throws(FileError) {
  let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
  let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  // EINVAL: a file system that has no such call for folders.
  let synchronized = descriptor >= 0 && (fsync(descriptor) == 0 || errno == EINVAL)
  let cause = SystemError.last("fsync")
  if descriptor >= 0 { Glibc.close(descriptor) }
  guard synchronized else { throw FileError(folder, "cannot be synchronized", cause: cause, fault: .machine) }
}

extension FileError {
  /// The error of a file that the machine could not write.
  package static func unwritable(_ path: String, cause: any Error) -> FileError {
    FileError(path, "cannot be written", cause: cause, fault: .machine)
  }
}
