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

/// Bytes of an open file from a place of it; fewer where the file ends before.
package func readBytes(_ place: Range<Int>, of descriptor: CInt) throws(SystemError) -> [UInt8] {
  var error: SystemError?
  let bytes = [UInt8](unsafeUninitializedCapacity: place.count) { buffer, filled in
    while filled < place.count {
      let (address, rest) = (buffer.baseAddress.map { $0 + filled }, place.count - filled)
      let got = uninterrupted { pread(descriptor, address, rest, off_t(place.lowerBound + filled)) }
      if got < 0 { error = .last("pread") }
      if got <= 0 { break }
      filled += got
    }
  }
  if let error { throw error }
  return bytes
}
