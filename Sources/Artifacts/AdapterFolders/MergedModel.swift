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
        guard let (layer, projection) = PEFTFolder.adaptedWeight(weight.name),
          let values = adapter.merged(weight, layer: layer, projection)
        else { return nil }
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
    var template = Array("\(folder).partial-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw FileError(folder, "cannot be made", cause: SystemError.last("mkdtemp"))
    }
    let partial = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
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
}
