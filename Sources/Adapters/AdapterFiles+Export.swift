// Writing an adapter's folder: all of it, read back and compared, or nothing.
import Foundation
import Glibc
import HDF5
import HuggingFace
import Tensors

extension AdapterFiles {
  /// Makes a folder with adapter.safetensors (fp32, `layers.{l}.{A,B,gamma}`), adapter_config.json and README.md. It
  /// is filled beside its name, synchronised, read back and compared, and then renamed.
  /// - Parameters:
  ///   - parameters: all numbers, in the layout's order.
  ///   - card: the text of README.md.
  /// - Throws: `FileError` if the folder is there already and not empty, or cannot be written.
  public static func export(
    _ config: Config, layout: AdapterLayout, parameters: [Float], card: String, to folder: String
  ) throws {
    precondition(parameters.count == layout.count)
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
      try write(config, layout: layout, parameters: parameters, card: card, to: partial)
      try verify(partial, config: config, layout: layout, parameters: parameters)
      try File.synchronizeFolder(of: partial + "/adapter.safetensors")
      guard rename(partial, folder) == 0 else { throw refuse("cannot be made: \(String(cString: strerror(errno)))") }
      try File.synchronizeFolder(of: folder)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
  }

  private static func write(
    _ config: Config, layout: AdapterLayout, parameters: [Float], card: String, to folder: String
  ) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    let files = [
      "adapter.safetensors": try SafetensorsWriter.encode(
        layout.tensors.map { .init(name: $0.name, shape: $0.shape, values: Array(parameters[$0.range])) }),
      "adapter_config.json": try encoder.encode(config) + Data("\n".utf8),
      "README.md": Data(card.utf8),
    ]
    for (name, data) in files {
      let path = "\(folder)/\(name)"
      do {
        try data.write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.synchronize()
        try file.close()
      } catch {
        throw FileError(file: path, problem: "cannot be written: \(systemWords(error))")
      }
    }
  }

  /// Reads the files as any reader does and compares every bit.
  private static func verify(
    _ folder: String, config expected: Config, layout: AdapterLayout, parameters: [Float]
  ) throws {
    let file = try Checkpoint(file: folder + "/adapter.safetensors")
    for tensor in layout.tensors {
      let values: [Float] = try file.tensor(tensor.name, shape: tensor.shape).values()
      guard values.elementsEqual(parameters[tensor.range], by: { $0.bitPattern == $1.bitPattern }) else {
        throw FileError(
          file: folder, problem: "tensor \(tensor.name) reads back otherwise than written; check the disk")
      }
    }
    guard file.unclaimed.isEmpty, try config(folder) == expected else {
      throw FileError(file: folder, problem: "adapter_config.json reads back otherwise than written; check the disk")
    }
  }
}
