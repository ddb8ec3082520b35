// A regular file that is read in any order.
import Files
import Glibc

/// A regular file that is open to be read anywhere.
final class OpenFile: Sendable {
  let path: String
  let size: Int
  private let descriptor: CInt

  init(_ path: String) throws(FileError) {
    // Not blocking: a named pipe must fail below instead of waiting for a writer here.
    descriptor = uninterrupted { Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }
    guard descriptor >= 0 else { throw FileError(path, "cannot be read", cause: SystemError.last("open")) }
    self.path = path
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      Glibc.close(descriptor)
      throw FileError(path, "is not a regular file")
    }
    size = Int(status.st_size)
  }

  deinit { Glibc.close(descriptor) }

  /// Throws where the file ends before.
  func read(_ place: Range<Int>) throws(FileError) -> [UInt8] {
    let bytes: [UInt8]
    do { bytes = try readBytes(place, of: descriptor) } catch { throw FileError(path, "cannot be read", cause: error) }
    guard bytes.count == place.count else { throw FileError(path, "ends early", remedy: "copy it again") }
    return bytes
  }
}
