import Adapters
import Files
import Foundation
import HuggingFace
import Preprocessing
import TestSupport
import Testing
import TinyModels

@testable import Artifacts

@Suite("An exported adapter is the adapter, whole or not at all")
struct ExportTests {
  let folder: TemporaryFolder
  let text = TextConfiguration.tiny
  let configuration = AdapterConfiguration.imageLoRA(
    ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [2: [1, 0], 0: [1]]))
  var layout: AdapterLayout { configuration.layout(text) }
  /// Values with negative ones, a subnormal and a negative zero among them.
  var parameters: [Float] {
    (0..<layout.count).map { $0 == 5 ? -0.0 : (Float($0) - 20) * ($0 == 7 ? .leastNonzeroMagnitude : 0.37) }
  }
  init() throws { folder = try TemporaryFolder() }

  private static let provenance = AdapterProvenance(
    baseDigest: "abc",
    templateVariables: TemplateVariables([
      ("enable_thinking", .bool(false)), ("n", .integer(2)), ("words", .text("é\"")),
    ]),
    maxPixels: 602_112, reading: ImageReading())

  private func export(to name: String) throws {
    let provenance = Self.provenance

    try AdapterFolder.export(
      configuration, provenance: provenance, layout: layout, parameters: parameters, card: "# A card\n",
      to: folder.path(name))
  }

  @Test func readBack() throws {
    try export(to: "adapter")
    #expect(folder.names == ["adapter"])
    let path = folder.path("adapter")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        == ["README.md", "adapter.safetensors", "adapter_config.json", "image_lora.py", "image_lora_pt.py"])
    let code = try bytes(of: path + "/image_lora.py")
    #expect(code.starts(with: Array("\"\"\"An Image-LoRA of imagelora".utf8)) && code.last == UInt8(ascii: "\n"))
    let adapter = try AdapterFolder.load(path, base: text)
    #expect(adapter.configuration == configuration)
    #expect(adapter.parameters.values.map(\.bitPattern) == parameters.map(\.bitPattern))
    #expect(
      try AdapterFolder.provenance(path)
        == Self.provenance)
    let config = try JSONDecoder().decode(
      AdapterFolder.Config.self, from: Data(contentsOf: URL(filePath: path + "/adapter_config.json")))
    #expect(
      config.kv_indices == ["0": [1], "2": [0, 1]] && config.adapter_type == "image_lora" && config.format_version == 1)
    let file = try Checkpoint(file: path + "/adapter.safetensors")
    #expect(file.names == ["0.A", "0.B", "0.gamma", "2.A", "2.B", "2.gamma"].map { "layers.\($0)" })
    #expect(file.shape(of: "layers.2.B") == [2, 2, 4] && file.shape(of: "layers.0.gamma") == [])
  }

  @Test func nothingIsReplaced() throws {
    try FileManager.default.createDirectory(atPath: folder.path("empty"), withIntermediateDirectories: false)
    try export(to: "empty")
    #expect(line { try export(to: "empty") }.hasSuffix("empty: the folder is not empty; name a new one"))
    try Data().write(to: URL(filePath: folder.path("file")))
    #expect(line { try export(to: "file") }.contains("cannot be made"))
    #expect(line { try export(to: "none/adapter") }.contains("cannot be made: No such file or directory"))
    #expect(folder.names == ["empty", "file"])
  }

  @Test func whatKilledExportsLeftIsRemoved() throws {
    for name in ["new.partial-Ab12xY", "new.partial-inUse1", "new.partial-longer-one", "news.partial-Ab12xY"] {
      try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: false)
      try Data([1]).write(to: URL(filePath: folder.path("\(name)/model.safetensors")))
    }
    let living = open(folder.path("new.partial-inUse1"), O_RDONLY)
    defer { close(living) }
    #expect(flock(living, LOCK_EX) == 0)
    try export(to: "new")
    #expect(folder.names == ["new", "new.partial-inUse1", "new.partial-longer-one", "news.partial-Ab12xY"])
  }

  @Test func whatIsWrongIsNamed() throws {
    var numbers = parameters
    numbers[0] = .nan
    try AdapterFolder.export(
      configuration, provenance: AdapterProvenance(), layout: layout, parameters: numbers, card: "",
      to: folder.path("nan"))
    #expect(
      line { _ = try AdapterFolder.load(folder.path("nan"), base: text) }
        .hasSuffix("nan/adapter.safetensors: tensor layers.0.A holds a value that is not finite"))
    try export(to: "adapter")
    let path = folder.path("adapter/adapter_config.json")
    let config = try String(contentsOfFile: path, encoding: .utf8)
    for (key, value, words) in [
      ("rank", "\"8\"", "rank: expected a whole number, found \"8\""), ("ranks", "2", "has no \"rank\""),
      ("rank", "8.5", "rank: expected a whole number, found 8.5"),
    ] {
      // As a user changes it, who takes the digest out.
      let changed = config.replacing(/"rank" *: *2/, with: "\"\(key)\": \(value)")
        .replacing(/"digest" : "[0-9a-f]{64}",/, with: "")
      #expect(changed.utf8.count < config.utf8.count - 64)
      try changed.write(toFile: path, atomically: false, encoding: .utf8)
      let said = line { _ = try AdapterFolder.load(folder.path("adapter"), base: text) }
      #expect(said.contains("adapter_config.json: not an adapter's configuration: ") && said.contains(words), "\(said)")
    }
  }

  /// A rank that no tensor has takes no memory: an adapter of it would need 170 GiB.
  @Test(arguments: [
    #"{"adapter_type": "image_lora", "rank": 65536, "alpha": 8, "normalization": "none", "kv_indices": {KV}}"#,
    #"{"peft_type": "LORA", "r": 65536, "lora_alpha": 8, "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]}"#,
  ])
  func statedRank(_ config: String) throws {
    var text = text
    (text.layers, text.hiddenSize, text.headDimension, text.attentionHeads, text.kvHeads) = (64, 8192, 128, 64, 8)
    let layers = (0..<text.layers).map { #""\#($0)": [0, 1, 2, 3, 4, 5, 6, 7]"# }.joined(separator: ", ")
    let adapter = try TemporaryFolder([
      "adapter_config.json": config.replacing("KV", with: layers)
    ])
    let names = (0..<text.layers).flatMap { layer in
      ["q", "k", "v", "o"].flatMap { projection in
        ["A", "B"].map { "base_model.model.model.layers.\(layer).self_attn.\(projection)_proj.lora_\($0).weight" }
      }
    }
    let tensors = names.map { SafetensorsWriter.Tensor(name: $0, shape: [1], values: [0]) }
    let bytes = Array(try SafetensorsWriter.encode(tensors))
    for file in ["adapter.safetensors", "adapter_model.safetensors"] { try adapter.write(file, bytes) }
    let said = line { _ = try AdapterFolder.load(adapter.path, base: text) }
    #expect(
      said.contains("no tensor layers.0.A") || said.contains("expected shape [65536, 8192], found [1]"), "\(said)")
  }

  /// The bytes of Python's safetensors 0.8.0: `safetensors.numpy.save({"layers.10.gamma": array(-2.5),
  /// "layers.2.B": arange(6).reshape(1, 2, 3), "layers.2.A": array([[0.5], [1e-40]])}, {"format": "pt"})`, all float32.
  @Test func bytesOfTheReference() throws {
    let header =
      #"{"__metadata__":{"format":"pt"},"layers.10.gamma":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"#
      + #""layers.2.A":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},"#
      + #""layers.2.B":{"dtype":"F32","shape":[1,2,3],"data_offsets":[12,36]}} "#
    let numbers: [UInt8] = [
      0x00, 0x00, 0x20, 0xC0, 0x00, 0x00, 0x00, 0x3F, 0xC2, 0x16, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80,
      0x3F, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x40, 0x40, 0x00, 0x00, 0x80, 0x40, 0x00, 0x00, 0xA0, 0x40,
    ]
    let file = try SafetensorsWriter.encode([
      .init(name: "layers.10.gamma", shape: [], values: [-2.5]),
      .init(name: "layers.2.B", shape: [1, 2, 3], values: [0, 1, 2, 3, 4, 5]),
      .init(name: "layers.2.A", shape: [2, 1], values: [0.5, Float(bitPattern: 0x1_16C2)]),
    ])
    #expect(Array(file) == [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8) + numbers)
  }
}
