// Writing an adapter's folder: all of it, read back and compared, or nothing.
import Adapters
import Files
import Foundation
import HuggingFace
import Tensors

extension AdapterFolder {
  /// What a folder is made of.
  private struct Contents {
    let tensorFile: String
    /// The layout's tensors by the names that they have in the file.
    let tensors: [(name: String, tensor: AdapterLayout.Tensor)]
    /// The other files.
    let texts: [String: Data]
  }

  /// Makes a folder with an adapter's tensors in fp32, its configuration and README.md: an Image-LoRA as
  /// adapter.safetensors (`layers.{l}.{A,B,gamma}`) and adapter_config.json, a LoRA as PEFT writes it. It is filled
  /// under a temporary name, synchronised, read back, compared and then renamed.
  /// - Parameters:
  ///   - parameters: all trainable parameters, in the layout's order.
  ///   - card: the text of README.md.
  ///   - baseName: the base model as PEFT's configuration names it.
  /// - Throws: `FileError` if the folder is there already and not empty, or cannot be written.
  package static func export(
    _ configuration: AdapterConfiguration, provenance: AdapterProvenance, layout: AdapterLayout, parameters: [Float],
    card: String, baseName: String? = nil, to folder: String
  ) throws {
    precondition(parameters.count == layout.count)
    let contents = try contents(
      configuration, provenance: provenance, layout: layout, card: card, baseName: baseName)
    try making(folder) { partial in
      try write(contents, parameters: parameters, to: partial)
      try verify(partial, contents, parameters: parameters)
    }
  }

  private static func contents(
    _ configuration: AdapterConfiguration, provenance: AdapterProvenance, layout: AdapterLayout, card: String,
    baseName: String?
  ) throws -> Contents {
    func json(_ value: some Encodable) throws -> Data {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
      return try encoder.encode(value) + Data("\n".utf8)
    }
    switch configuration {
    case .imageLoRA(let options):
      return Contents(
        tensorFile: "adapter.safetensors", tensors: layout.tensors.map { ($0.name, $0) },
        texts: ["adapter_config.json": try json(Joined(Config(options), provenance)), "README.md": Data(card.utf8)])
    case .lora(let options):
      return Contents(
        tensorFile: PEFTFolder.tensorFile, tensors: layout.tensors.map { (PEFTFolder.name($0), $0) },
        texts: [
          "adapter_config.json": try PEFTFolder.config(options, baseName: baseName),
          provenanceFile: try json(provenance), "README.md": Data(card.utf8),
        ])
    }
  }

  private static func write(_ contents: Contents, parameters: [Float], to folder: String) throws {
    var files = contents.texts
    files[contents.tensorFile] = try SafetensorsWriter.encode(
      contents.tensors.map { .init(name: $0, shape: $1.shape, values: Array(parameters[$1.range])) })
    for (name, data) in files {
      let path = "\(folder)/\(name)"
      do {
        try data.write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.synchronize()
        try file.close()
      } catch {
        throw FileError.unwritable(path, cause: error)
      }
    }
  }

  /// Reads the files as any reader does and compares all bits.
  private static func verify(_ folder: String, _ contents: Contents, parameters: [Float]) throws {
    func otherwise(_ what: String) -> FileError {
      FileError(folder, "\(what) reads back otherwise than written", remedy: "check the disk", fault: .machine)
    }
    let file = try Checkpoint(file: folder + "/" + contents.tensorFile)
    for (name, tensor) in contents.tensors {
      let values: [Float] = try file.tensor(name, shape: tensor.shape).values()
      guard values.elementsEqual(parameters[tensor.range], by: { $0.bitPattern == $1.bitPattern }) else {
        throw otherwise("tensor \(name)")
      }
    }
    guard file.unclaimed.isEmpty else { throw otherwise(contents.tensorFile) }
    for (name, data) in contents.texts {
      guard try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")) == data else { throw otherwise(name) }
    }
  }
}

/// Two keyed documents as one.
private struct Joined<First: Encodable, Second: Encodable>: Encodable {
  let first: First
  let second: Second

  init(_ first: First, _ second: Second) { (self.first, self.second) = (first, second) }

  func encode(to encoder: any Encoder) throws {
    try first.encode(to: encoder)
    try second.encode(to: encoder)
  }
}
