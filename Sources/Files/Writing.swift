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
  guard data.withUnsafeBytes({ writeAll($0, to: descriptor) }) else { throw failed("write") }
  guard uninterrupted({ fsync(descriptor) }) == 0 else { throw failed("fsync") }
  guard rename(partial, path) == 0 else { throw failed("rename") }
  try synchronizeFolder(of: path)
}

/// Writes a new file, or writes over one, and waits until it is on the disk. A failure leaves a part of it: this is for
/// files in a folder that only gets its name when it is complete.
/// - Throws: `FileError` with the system's message.
package func writeSynchronized(_ data: Data, to path: String) throws(FileError) {
  let descriptor = uninterrupted { Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o666) }
  guard descriptor >= 0 else { throw .unwritable(path, cause: SystemError.last("open")) }
  func failed(_ call: String) -> FileError {
    let cause = SystemError.last(call)
    Glibc.close(descriptor)
    return .unwritable(path, cause: cause)
  }
  guard data.withUnsafeBytes({ writeAll($0, to: descriptor) }) else { throw failed("write") }
  guard uninterrupted({ fsync(descriptor) }) == 0 else { throw failed("fsync") }
  guard Glibc.close(descriptor) == 0 else { throw .unwritable(path, cause: SystemError.last("close")) }
}

/// Writes all bytes, however many calls it takes; false with `errno`.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
  writeAll(bytes) { rest, _ in Glibc.write(descriptor, rest.baseAddress, rest.count) }
}

/// Writes all bytes at a place of the file, however many calls it takes; false with `errno`.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at place: Int) -> Bool {
  writeAll(bytes) { rest, done in pwrite(descriptor, rest.baseAddress, rest.count, off_t(place + done)) }
}

private func writeAll(
  _ bytes: UnsafeRawBufferPointer, _ write: (_ rest: UnsafeRawBufferPointer, _ done: Int) -> Int
) -> Bool {
  var done = 0
  while done < bytes.count {
    let count = uninterrupted { write(UnsafeRawBufferPointer(rebasing: bytes[done...]), done) }
    guard count >= 0 else { return false }
    done += count
  }
  return true
}

/// Opens an empty file that no other process of this program writes as long as it is open; -1 with `errno`.
/// - Parameter keepsBytes: leaves in it what is there, which may then be read too.
package func openAlone(_ path: String, keepsBytes: Bool = false) -> Int32 {
  let access = keepsBytes ? O_RDWR : O_WRONLY
  while true {
    let descriptor = uninterrupted { Glibc.open(path, access | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { return -1 }
    // On file systems without locks the last writer wins.
    _ = uninterrupted { flock(descriptor, LOCK_EX) }
    var (own, named) = (stat(), stat())
    // Whoever held the lock has renamed its file, this one, or removed it.
    if fstat(descriptor, &own) == 0, stat(path, &named) == 0, own.st_ino == named.st_ino, own.st_dev == named.st_dev {
      if keepsBytes || uninterrupted({ ftruncate(descriptor, 0) }) == 0 { return descriptor }
      let cause = errno
      unlink(path)
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

/// Makes a folder and those above it where they are missing, so that they last through a crash.
/// - Throws: `FileError`, of the user's path or a failure of the machine.
package func makeFolder(_ path: String) throws(FileError) {
  let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  func failed(_ call: String) -> FileError {
    FileError(path, "the folder cannot be made", cause: SystemError.last(call))
  }
  var status = stat()
  if stat(path, &status) == 0 {
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw FileError(path, "the folder cannot be made: there is a file of that name", remedy: "name another folder")
    }
    // A process that was killed may have made it a moment ago. A parent that cannot be read is not this program's.
    try? synchronizeFolder(of: path)
    return
  }
  guard errno == ENOENT else { throw failed("stat") }
  let parent = folder(of: path)
  if parent != path, parent != "." { try makeFolder(parent) }
  // EEXIST: another process was faster.
  guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw failed("mkdir") }
  try synchronizeFolder(of: path)
}

/// The folder that a path lies in.
private func folder(of path: String) -> String {
  path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
}

/// Makes names in a file's folder last through a crash (fsync of the folder).
package func synchronizeFolder(of path: String) throws(FileError) {
  let folder = folder(of: path)
  let descriptor = uninterrupted { Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
  // EINVAL: a file system that has no such call for folders.
  let synchronized = descriptor >= 0 && (uninterrupted { fsync(descriptor) } == 0 || errno == EINVAL)
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
