// The file on disk that a finished HDF5 image is written to.
import Files
import Glibc

/// A file opened for writing, so that a wrong path is found before the work and not after it.
struct Output: ~Copyable {
  private let descriptor: Int32

  /// Creates or empties the file.
  init(_ attempt: Attempt) throws {
    descriptor = uninterrupted { Glibc.open(attempt.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw attempt.systemError("open") }
  }

  /// Writes all bytes and waits until they are on the disk: a full disk is reported here.
  borrowing func write(_ bytes: UnsafeRawBufferPointer, _ attempt: Attempt) throws {
    guard writeAll(bytes, to: descriptor) else { throw attempt.systemError("write") }
    // Devices and pipes cannot be synchronised (EINVAL) and need not be.
    let descriptor = descriptor
    guard uninterrupted({ fsync(descriptor) }) == 0 || errno == EINVAL else { throw attempt.systemError("fsync") }
  }

  /// Closes and reports: network file systems may write only now.
  consuming func close(_ attempt: Attempt) throws {
    let descriptor = descriptor
    discard self
    guard Glibc.close(descriptor) == 0 else { throw attempt.systemError("close") }
  }

  deinit { _ = Glibc.close(descriptor) }
}

extension Attempt {
  /// The system's message for the call that just failed.
  func systemError(_ function: String) -> HDF5Error {
    let code = errno
    return error(String(cString: strerror(code)), in: function, code: code)
  }
}
