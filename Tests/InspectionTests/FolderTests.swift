// Folders that are no whole model: an adapter's, and a model's without weights.
import Adapters
import Artifacts
import Files
import Foundation
import TestSupport
import Testing
import TinyModels

@testable import Inspection

@Suite("Folders of adapters, and of models without weights")
struct FolderTests {
  @Test("a model's configuration tells of it before its weights are there") func outline() throws {
    let model = try TinyModel()
    let whole = try ModelDescription(model.base())
    try FileManager.default.removeItem(atPath: model.folder + "/model.safetensors")
    let outline = try ModelOutline(folder: model.folder)
    #expect(outline.parameters == whole.total.parameters)
    #expect(outline.lines.contains { $0.hasPrefix("weights          none in the folder") })
  }

  @Test("an adapter: its options, heads and tensors, with the digest checked", arguments: AdapterKind.allCases)
  func adapter(kind: AdapterKind) throws {
    let model = try TinyModel()
    let base = try model.base()
    let folder = try TemporaryFolder()
    let configuration: AdapterConfiguration =
      kind == .lora
      ? .lora(LoRAConfiguration(rank: 2, alpha: 4, everywhere: [.query, .value], base.configuration.text))
      : .imageLoRA(
        ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: [0: [1], 1: [0, 1]]))
    let adapter: any Adapter<Float> = configuration.adapter(base.configuration.text, base.configuration.vision)
    adapter.load((0..<adapter.layout.count).map { Float($0 % 7) })
    let path = folder.path("adapter")
    try AdapterFolder.export(
      configuration, provenance: AdapterProvenance(of: base), layout: adapter.layout,
      parameters: adapter.parameters.values, card: "", to: path)
    let found = try AdapterFolderDescription(path)
    #expect(found.kind == kind.rawValue && found.rank == 2 && found.alpha == 4 && found.isVerified == true)
    #expect(found.codeIsVerified == (kind == .lora ? nil : true))
    #expect(found.trainableParameters == adapter.layout.count && found.baseDigest == base.digest)
    #expect(found.tensors.count == adapter.layout.tensors.count)
    #expect(found.kvIndices == (kind == .lora ? nil : ["0": [1], "1": [0, 1]]))
    #expect(found.lines.contains { $0.hasPrefix("checksum        valid") })
    let file = path + (kind == .lora ? "/adapter_model.safetensors" : "/adapter.safetensors")
    var bytes = try bytes(of: file)
    bytes[bytes.count - 1] ^= 1
    try Data(bytes).write(to: URL(filePath: file))
    #expect(throws: FileError.self) { try AdapterFolderDescription(path) }
  }
}
