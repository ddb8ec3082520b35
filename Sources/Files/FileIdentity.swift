// What tells whether an open file still has the bytes that it had: its size, its times, and who points at it.
import Glibc

/// The state of an open file at one moment.
package struct FileIdentity: Sendable, Equatable {
  /// Bytes.
  package let size: Int
  package let device, inode: UInt64
  /// When its bytes were last written, and when anything about it last changed: nanoseconds since 1970.
  package let modified, changed: Int
  private let mode, owner, group: UInt32
  private let links: UInt64
  package var isRegular: Bool { mode & S_IFMT == S_IFREG }

  /// - Throws: `SystemError` (fstat).
  package init(descriptor: Int32) throws(SystemError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw SystemError.last("fstat") }
    self.init(status)
  }

  /// Of what a path leads to.
  /// - Throws: `SystemError` (stat).
  package init(path: String) throws(SystemError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw SystemError.last("stat") }
    self.init(status)
  }

  private init(_ status: stat) {
    func nanoseconds(_ time: timespec) -> Int {
      let (seconds, overflow) = Int(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
      return overflow ? Int(time.tv_sec) : seconds &+ Int(time.tv_nsec)
    }
    (size, device, inode) = (Int(status.st_size), UInt64(status.st_dev), UInt64(status.st_ino))
    (modified, changed) = (nanoseconds(status.st_mtim), nanoseconds(status.st_ctim))
    (mode, owner, group, links) = (status.st_mode, status.st_uid, status.st_gid, UInt64(status.st_nlink))
  }

  /// Whether the bytes can have been written to since `earlier`, a state of the same open file.
  ///
  /// A change of names or permissions, which leaves the bytes as they are, is none: a file replaced by renaming another
  /// over it lives on for those who have it open. A change that sets the time of writing back is one.
  package func mayHaveOtherBytes(than earlier: FileIdentity) -> Bool {
    if size != earlier.size || modified != earlier.modified { return true }
    let isSame = (mode, owner, group, links) == (earlier.mode, earlier.owner, earlier.group, earlier.links)
    return changed != earlier.changed && isSame
  }
}
