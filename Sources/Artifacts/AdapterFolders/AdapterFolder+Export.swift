// Writing an adapter's folder: all of it, read back and compared, or nothing.
import Adapters
import Digests
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
    var files: [String: Data]

    func adding(_ files: [String: Data]) -> Contents {
      var contents = self
      contents.files.merge(files) { $1 }
      return contents
    }
  }

  /// Makes a folder with an adapter's tensors in fp32, its configuration and README.md: an Image-LoRA as
  /// adapter.safetensors (`layers.{l}.{A,B,gamma}`), adapter_config.json and Python for transformers and for
  /// .pt files, a LoRA as PEFT writes it. It is filled under a temporary name, synchronised, read back, compared and
  /// then renamed.
  /// - Parameters:
  ///   - parameters: all trainable parameters, in the layout's order.
  ///   - card: the text of README.md.
  ///   - base: the base model's name, where it is known.
  ///   - path: the base model's folder, which PEFT's configuration names instead of its name and revision.
  /// - Throws: `FileError` if the folder is there already and not empty, or cannot be written.
  package static func export(
    _ configuration: AdapterConfiguration, provenance: AdapterProvenance, layout: AdapterLayout, parameters: [Float],
    card: String, base: ModelName? = nil, path: String? = nil, to folder: String
  ) throws {
    precondition(parameters.count == layout.count)
    let contents = try contents(
      configuration, stated: JoinedDocuments(provenance, AdapterDocument.Base(base)), layout: layout,
      parameters: parameters, card: card,
      peftBase: path.map { ModelName(name: $0) } ?? base)
    try making(folder) { partial in
      try write(contents, to: partial)
      do {
        try verify(partial, contents, parameters: parameters)
      } catch let error as FileError where error.fault == .machine {
        throw error
      } catch {
        throw FileError(folder, "cannot be read back", remedy: "check the disk", cause: error, fault: .machine)
      }
    }
  }

  private static func contents(
    _ configuration: AdapterConfiguration, stated: some Encodable, layout: AdapterLayout, parameters: [Float],
    card: String, peftBase: ModelName?
  ) throws -> Contents {
    func tensors(_ tensorFile: String, name: (AdapterLayout.Tensor) -> String) throws -> (Contents, sha256: String) {
      let tensors = layout.tensors.map { (name: name($0), tensor: $0) }
      let bytes = try SafetensorsWriter.encode(
        tensors.map { .init(name: $0, shape: $1.shape, values: Array(parameters[$1.range])) })
      let files = [tensorFile: bytes, "README.md": Data(card.utf8)]
      return (Contents(tensorFile: tensorFile, tensors: tensors, files: files), SHA256.hex([UInt8](bytes)))
    }
    switch configuration {
    case .imageLoRA(let options):
      let (contents, sha256) = try tensors(tensorFile) { $0.name }
      let (code, ptCode) = (PackageResources.image_lora_py, PackageResources.image_lora_pt_py)
      let seals = AdapterDocument.Seals(
        tensors_sha256: sha256, code_sha256: SHA256.hex(code), pt_code_sha256: SHA256.hex(ptCode))
      return contents.adding([
        codeFile: Data(code), ptCodeFile: Data(ptCode),
        configurationFile: try DocumentDigest.encode(JoinedDocuments(Config(options), JoinedDocuments(stated, seals))),
      ])
    case .lora(let options):
      let (contents, sha256) = try tensors(PEFTFolder.tensorFile) { PEFTFolder.name($0) }
      let config = try PEFTFolder.config(options, base: peftBase)
      let seals = AdapterDocument.Seals(
        tensors_sha256: sha256,
        config_digest: AdapterDocument.digest(ofConfiguration: try JSON(parsing: [UInt8](config))))
      return contents.adding([
        configurationFile: config, provenanceFile: try DocumentDigest.encode(JoinedDocuments(stated, seals)),
      ])
    }
  }

  private static func write(_ contents: Contents, to folder: String) throws {
    for (name, data) in contents.files { try writeSynchronized(data, to: "\(folder)/\(name)") }
  }

  /// Reads the files as any reader does and compares all bits.
  private static func verify(_ folder: String, _ contents: Contents, parameters: [Float]) throws {
    func otherwise(_ what: String) -> FileError {
      FileError(folder, "\(what) reads back otherwise than written", remedy: "check the disk", fault: .machine)
    }
    let path = "\(folder)/\(contents.tensorFile)"
    let stating = contents.files[provenanceFile] == nil ? configurationFile : provenanceFile
    let check = try AdapterDocument("\(folder)/\(stating)").tensorsCheck(of: path)
    let file = try Checkpoint(file: path, check: check)
    for (name, tensor) in contents.tensors {
      let values: [Float] = try file.tensor(name, shape: tensor.shape).values()
      guard values.elementsEqual(parameters[tensor.range], by: { $0.bitPattern == $1.bitPattern }) else {
        throw otherwise("tensor \(name)")
      }
    }
    guard file.unclaimed.isEmpty else { throw otherwise(contents.tensorFile) }
    for (name, data) in contents.files {
      guard try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")) == data else { throw otherwise(name) }
    }
  }
}
