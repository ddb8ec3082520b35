// Small files written whole or not at all, and the check that a path can be written before the work is done.
import Foundation
import Glibc

/// Writes a file under a temporary name in the same folder and renames it.
/// - Throws: `FileError` with the system's message.
package func writeAtomically(_ data: Data, to path: String) throws(FileError) {
  do {
    try data.write(to: URL(fileURLWithPath: path), options: .atomic)
  } catch {
    throw FileError.unwritable(path, cause: error)
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
  let synchronized = descriptor >= 0 && fsync(descriptor) == 0
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
