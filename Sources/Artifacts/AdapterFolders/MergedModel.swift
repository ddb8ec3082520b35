// A LoRA merged into its base's weights: a model folder that needs no adapter.
import Adapters
import Files
import Foundation
import Glibc
import HuggingFace

extension AdapterFolder {
  /// Makes a folder with all files of a base and W + (alpha / r) B A in place of each adapted weight, summed in fp32
  /// and rounded once to the type that W is stored in. The folder is made complete or not at all.
  /// - Throws: `FileError` if the folder is there already and not empty or cannot be written, or a weight is missing;
  ///   `HuggingFaceError`.
  package static func merge(_ adapter: LoRA<Float>, base: String, to folder: String) throws {
    try making(folder) { partial in
      var merged = 0
      try ModelFolderCopy.write(from: base, to: partial) { weight in
        guard let module = PEFTFolder.adaptedWeight(weight.name), let values = adapter.merged(weight, module) else {
          return nil
        }
        merged += 1
        return values
      }
      guard merged == adapter.layout.tensors.count / 2 else {
        throw FileError(
          base, "has \(merged) of the \(adapter.layout.tensors.count / 2) weights that are adapted")
      }
    }
  }

  /// Fills a folder under a temporary name and renames it.
  static func making(_ folder: String, fill: (_ partial: String) throws -> Void) throws {
    let folder = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    if let entries = try? FileManager.default.contentsOfDirectory(atPath: folder), !entries.isEmpty {
      throw FileError(folder, "the folder is not empty", remedy: "name a new one")
    }
    sweep(folder)
    let (partial, descriptor) = try makePartial(of: folder)
    defer { close(descriptor) }
    do {
      chmod(partial, 0o755)
      try fill(partial)
      try synchronizeFolder(of: partial + "/files")
      guard rename(partial, folder) == 0 else {
        throw FileError(folder, "cannot be made", cause: SystemError.last("rename"), fault: .machine)
      }
      try synchronizeFolder(of: folder)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
  }

  /// A new folder beside `folder`, locked as long as it is filled.
  private static func makePartial(of folder: String) throws -> (path: String, descriptor: Int32) {
    while true {
      var template = Array("\(folder)\(partialMark)XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else {
        throw FileError(folder, "cannot be made", cause: SystemError.last("mkdtemp"))
      }
      let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let descriptor = uninterrupted { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
      // Another start may have swept it before it was locked.
      if descriptor >= 0 {
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
        if access(path, F_OK) == 0 { return (path, descriptor) }
      }
      let cause = SystemError.last(descriptor >= 0 ? "access" : "open")
      if descriptor >= 0 { close(descriptor) }
      if cause.code != ENOENT {
        rmdir(path)
        throw FileError(folder, "cannot be made", cause: cause)
      }
    }
  }

  private static let partialMark = ".partial-"

  /// Removes what killed exports into the same folder left: the kernel has released their locks.
  private static func sweep(_ folder: String) {
    let url = URL(fileURLWithPath: folder)
    let (parent, prefix) = (url.deletingLastPathComponent().path, url.lastPathComponent + partialMark)
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
    where name.utf8.starts(with: prefix.utf8) && name.utf8.count == prefix.utf8.count + 6 {
      let descriptor = uninterrupted {
        open("\(parent)/\(name)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      }
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { try? FileManager.default.removeItem(atPath: "\(parent)/\(name)") }
    }
  }
}
