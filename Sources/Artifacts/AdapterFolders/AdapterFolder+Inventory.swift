// An adapter's folder read for itself, without the base that it belongs to.
import Adapters
import Files
import Foundation
import HuggingFace

extension AdapterFolder {
  /// What a folder holds, as it says.
  package struct Inventory {
    package let kind: AdapterKind
    package let rank: Int
    package let alpha: Double
    /// Heads by layer of an Image-LoRA.
    package let kvIndices, valueHeadIndices: [String: [Int]]?
    package let provenance: AdapterProvenance
    /// The base's, where the folder states it.
    package let baseName: ModelName?
    /// Whether it states a digest of the tensors, which then holds.
    package let isSealed: Bool
    /// Of an Image-LoRA: whether image_lora.py is there with the bytes that the folder states.
    package let hasCode: Bool
    /// In the order of their names.
    package let tensors: [(name: String, shape: [Int], values: [Float])]
  }

  /// Whether a folder is one of an adapter.
  package static func isAdapter(_ folder: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(folder)/\(configurationFile)")
  }

  /// Reads a folder.
  /// - Throws: `FileError` or `HuggingFaceError` for a damaged one.
  package static func inventory(_ folder: String) throws -> Inventory {
    guard try PEFTConfiguration.isPresent(in: folder) else {
      let document = try AdapterDocument("\(folder)/\(configurationFile)")
      try document.requireImageLoRA()
      let (tensors, isSealed) = try tensors("\(folder)/\(tensorFile)", document)
      func heads(_ key: String) throws -> [String: [Int]]? {
        try document.lists(ExactString(key)).map { lists in
          Dictionary(lists.map { ($0.name, $0.values) }, uniquingKeysWith: { first, _ in first })
        }
      }
      return Inventory(
        kind: .imageLoRA, rank: try document.required("rank", document.integer),
        alpha: try document.required("alpha", document.number), kvIndices: try heads("kv_indices"),
        valueHeadIndices: try heads("value_head_indices"), provenance: try document.provenance,
        baseName: try document.modelName, isSealed: isSealed,
        hasCode: try hasCode(folder, document), tensors: tensors)
    }
    let (configuration, conditions) = (try PEFTConfiguration(folder: folder), try conditions(folder))
    let (tensors, isSealed) = try tensors("\(folder)/\(PEFTFolder.tensorFile)", conditions)
    return Inventory(
      kind: .lora, rank: configuration.rank, alpha: configuration.alpha, kvIndices: nil, valueHeadIndices: nil,
      provenance: try conditions?.provenance ?? AdapterProvenance(),
      baseName: try conditions?.modelName ?? configuration.baseName,
      isSealed: isSealed, hasCode: false, tensors: tensors)
  }

  /// Whether image_lora.py is there; what is there of the code has the digests that the document states.
  private static func hasCode(_ folder: String, _ document: AdapterDocument) throws -> Bool {
    _ = try document.codeIsVerified("\(folder)/\(ptCodeFile)", key: "pt_code_sha256")
    return try document.codeIsVerified("\(folder)/\(codeFile)", key: "code_sha256")
  }

  private static func tensors(
    _ path: String, _ document: AdapterDocument?
  ) throws -> (tensors: [(name: String, shape: [Int], values: [Float])], isSealed: Bool) {
    let check = try document?.tensorsCheck(of: path)
    let file = try Checkpoint(file: path, check: check)
    let tensors = try file.names.map { name in
      let shape = file.shape(of: name) ?? []
      return (name: name, shape: shape, values: try finite(file, name, shape: shape))
    }
    return (tensors, check != nil)
  }
}
