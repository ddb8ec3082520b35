// How much a folder of cached matrices may hold, and what goes first.
import Foundation
import Glibc
import Synchronization

/// A bound on the files of a folder that several processes write to: each counts what it knows of, and looks anew
/// before it removes anything, so that the bound holds but for what others write meanwhile.
final class CacheLimit: Sendable {
  private let folder: String
  private let bytes: Int
  /// Of all files when they were last looked at, and of those that this process has written since; nil: never yet.
  private let known = Mutex<Int?>(nil)

  init(folder: String, bytes: Int) { (self.folder, self.bytes) = (folder, bytes) }

  /// A file was read: its age counts from now.
  func used(_ path: String) { utimensat(AT_FDCWD, path, nil, 0) }

  /// A file was written: if the folder then holds more than it may, files are removed, those used longest ago first,
  /// until a tenth of the bound is free.
  func wrote(_ path: String) {
    known.withLock { known in
      let size = max(0, FileState(ofFile: path).size)
      if let total = known, total + size <= bytes {
        known = total + size
        return
      }
      var files = Self.files(in: folder)
      var total = files.reduce(0) { $0 + $1.size }
      if total > bytes {
        files.sort { ($0.lastUse, $0.path) < ($1.lastUse, $1.path) }
        for file in files where total > bytes / 10 * 9 {
          // Another process may have removed it.
          unlink(file.path)
          total -= file.size
        }
      }
      known = total
    }
  }

  private static func files(in folder: String) -> [(path: String, size: Int, lastUse: Int)] {
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(".h5") }.compactMap { name in
      let state = FileState(ofFile: "\(folder)/\(name)")
      return state.size >= 0 ? ("\(folder)/\(name)", state.size, state.modified) : nil
    }
  }
}
