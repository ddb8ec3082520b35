// Whole files of a bounded size; a pipe or a device has no end that could be trusted.
import Foundation
import Glibc

/// Whether there is something at a path.
/// - Throws: `FileError` where that cannot be told, as on a broken disk.
package func isThere(_ path: String) throws(FileError) -> Bool {
  var status = stat()
  if stat(path, &status) == 0 { return true }
  guard [ENOENT, ENOTDIR].contains(errno) else {
    throw FileError(path, "cannot be read", cause: SystemError.last("stat"))
  }
  return false
}

/// The bytes of a regular file.
/// - Throws: `FileError` for a missing file, one that is not regular, larger than `maximumBytes`, or unreadable.
package func readFile(_ path: String, maximumBytes: Int) throws(FileError) -> Data {
  guard try isThere(path) else {
    throw FileError(path, "cannot be read: there is no such file")
  }
  do {
    let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    let values = try url.resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey])
    guard values.isRegularFile == true, values.fileSize ?? 0 <= maximumBytes else {
      throw FileError(path, "is not a regular file of at most \(maximumBytes) bytes")
    }
    return try Data(contentsOf: url, options: .mappedIfSafe)
  } catch let error as FileError {
    throw error
  } catch {
    throw FileError(path, "cannot be read", cause: error)
  }
}
