// The file on disk that a finished HDF5 image is written to.
import Glibc

/// A file opened for writing, so that a wrong path is found before the work and not after it.
struct Output: ~Copyable {
  private let descriptor: Int32

  /// Creates or empties the file.
  init(_ attempt: Attempt) throws {
    descriptor = Glibc.open(attempt.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw attempt.systemError("open") }
  }

  /// Writes all bytes and waits until they are on the disk: a full disk is reported here.
  borrowing func write(_ bytes: UnsafeRawBufferPointer, _ attempt: Attempt) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written >= 0 else { throw attempt.systemError("write") }
      rest = rest.dropFirst(written)
    }
    // Devices and pipes cannot be synchronised (EINVAL) and need not be.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw attempt.systemError("fsync") }
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
  fileprivate func systemError(_ function: String) -> HDF5Error {
    error(String(cString: strerror(errno)), in: function)
  }
}
