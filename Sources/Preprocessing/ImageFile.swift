// Bytes of an image file, whole or only its beginning, and the operating system's error where they cannot be read.
import Files
import Glibc

/// An open regular file.
struct ImageFile: ~Copyable {
  private let descriptor: CInt
  private let path: String
  /// No image within the decoder's pixel limit needs more; a sparse file may claim any size.
  private static let maximumBytes = 1 << 30
  /// Bytes in the file when it was opened.
  let count: Int

  /// Opens a regular file; throws `PreprocessingError.unreadable` for folders, pipes and devices too.
  init(_ path: String) throws(PreprocessingError) {
    // Not blocking: a named pipe must fail below instead of waiting for a writer here.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(image: path, reason: String(cString: strerror(errno))) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .unreadable(image: path, reason: "not a regular file")
    }
    guard status.st_size <= Self.maximumBytes else {
      close(descriptor)
      throw .unreadable(image: path, reason: "\(status.st_size) bytes, more than the limit of \(Self.maximumBytes)")
    }
    self.descriptor = descriptor
    self.path = path
    count = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// The first `limit` bytes, or all when there are fewer.
  func read(first limit: Int) throws(PreprocessingError) -> [UInt8] {
    do { return try readBytes(0..<min(limit, count), of: descriptor) } catch {
      throw .unreadable(image: path, reason: String(cString: strerror(error.code)))
    }
  }
}
