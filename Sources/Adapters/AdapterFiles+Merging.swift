// A LoRA merged into its base's weights: a model folder that needs no adapter.
import Foundation
import Glibc
import HDF5
import HuggingFace
import QwenVL
import Tensors

extension AdapterFiles {
  /// Makes a folder with all files of a base and W + (alpha / r) B A in place of each adapted weight, summed in fp32
  /// and rounded once to the type that W is stored in. All of it or nothing is made.
  /// - Throws: `FileError` if the folder is there already and not empty or cannot be written, or a weight is missing;
  ///   `HuggingFaceError`.
  public static func merge(_ adapter: LoRA<Float>, base: String, to folder: String) throws {
    try making(folder) { partial in
      var merged = 0
      try ModelFolderCopy.write(from: base, to: partial) { weight in
        guard let (layer, projection) = PEFTFiles.adaptedWeight(weight.name),
          let values = adapter.merged(weight, layer: layer, projection)
        else { return nil }
        merged += 1
        return values
      }
      guard merged == adapter.layout.tensors.count / 2 else {
        throw FileError(
          file: base, problem: "has \(merged) of the \(adapter.layout.tensors.count / 2) weights that are adapted")
      }
    }
  }

  /// Fills a folder beside its name and renames it.
  static func making(_ folder: String, fill: (_ partial: String) throws -> Void) throws {
    let folder = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    func refuse(_ problem: String) -> FileError { FileError(file: folder, problem: problem) }
    if let entries = try? FileManager.default.contentsOfDirectory(atPath: folder), !entries.isEmpty {
      throw refuse("the folder is not empty; name a new one")
    }
    var template = Array("\(folder).partial-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw refuse("cannot be made: \(String(cString: strerror(errno)))") }
    let partial = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    do {
      chmod(partial, 0o755)
      try fill(partial)
      try File.synchronizeFolder(of: partial + "/files")
      guard rename(partial, folder) == 0 else { throw refuse("cannot be made: \(String(cString: strerror(errno)))") }
      try File.synchronizeFolder(of: folder)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
  }
}

extension LoRA<Float> {
  /// W + s B A, nil for a projection that is not adapted or a weight of another shape.   W [out, in]
  func merged(_ weight: StoredTensor, layer: Int, _ projection: Projection) -> [Float]? {
    guard let (loraA, loraB) = factors(layer: layer, projection), weight.shape == [loraB.rows, loraA.columns] else {
      return nil
    }
    let sum = Matrix<Float>(weight.values(), rows: loraB.rows, columns: loraA.columns)
    multiply(loraB, .asIs, loraA, .asIs, into: sum, alpha: Float(scale), beta: 1)
    return sum.values
  }
}
