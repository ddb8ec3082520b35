// Exported adapters with bits flipped and values changed: refused in one line, or the same adapter.
import Adapters
import Files
import Foundation
import HuggingFace
import Preprocessing
import TestSupport
import Testing
import TinyModels

@testable import Artifacts

@Suite("An exported adapter carries digests of all that it means")
struct AdapterDigestTests {
  let folder: TemporaryFolder
  let text = TextConfiguration.tiny
  init() throws { folder = try TemporaryFolder() }

  enum Kind: String, CaseIterable {
    case imageLoRA, lora

    var configuration: AdapterConfiguration {
      switch self {
      case .imageLoRA:
        .imageLoRA(
          ImageLoRAConfiguration(
            rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: [2: [1, 0], 0: [1]]))
      case .lora:
        .lora(
          LoRAConfiguration(
            rank: 2, alpha: 6, targets: [0: [.value, .query], 1: [.query, .value], 2: [.query, .value]]))
      }
    }
    var tensors: String { self == .lora ? "adapter_model.safetensors" : "adapter.safetensors" }
    /// What states the digests.
    var document: String { self == .lora ? "conditions.json" : "adapter_config.json" }
  }

  /// - Parameter base: the folder that PEFT's configuration names.
  private func exported(_ kind: Kind, base: String? = "models/base") throws -> String {
    let layout = kind.configuration.layout(text)
    let path = folder.path(kind.rawValue)
    var provenance = AdapterProvenance(
      baseDigest: "abc", templateDigest: "def", minPixels: 3136, maxPixels: 602_112, coordinates: .pixels,
      reading: ImageReading())
    provenance.baseFullDigest = "0123"
    try AdapterFolder.export(
      kind.configuration, provenance: provenance, layout: layout,
      parameters: (0..<layout.count).map { Float($0) * 0.25 - 9 }, card: "# A card\n",
      base: ModelName(name: "org/base", revision: "0123"), path: kind == .lora ? base : nil, to: path)
    return path
  }

  /// All that an adapter does.
  private struct Contents: Equatable {
    let configuration: AdapterConfiguration
    let parameters: [UInt32]
    let provenance: AdapterProvenance
  }

  private func read(_ path: String) throws -> Contents {
    let provenance = try AdapterFolder.provenance(path)
    let adapter = try AdapterFolder.load(path, base: text)
    return Contents(
      configuration: adapter.configuration, parameters: adapter.parameters.values.map(\.bitPattern),
      provenance: provenance)
  }

  @Test("one flipped bit anywhere", arguments: Kind.allCases)
  func flips(kind: Kind) throws {
    let path = try exported(kind)
    let right = try read(path)
    for name in Set(["adapter_config.json", kind.document, kind.tensors]) {
      let whole = try bytes(of: "\(path)/\(name)")
      let isData = name == kind.tensors
      var refused = 0
      let places =
        isData ? Array(stride(from: 0, to: whole.count, by: max(1, whole.count / 300))) : Array(whole.indices)
      for index in places {
        for bit in isData ? [index % 8] : [0, 2, 3, 5] {
          var damaged = whole
          damaged[index] ^= 1 << UInt8(bit)
          try Data(damaged).write(to: URL(filePath: "\(path)/\(name)"))
          do {
            #expect(try read(path) == right && !isData, "\(name): byte \(index), bit \(bit)")
          } catch {
            refused += 1
            #expect(!"\(error)".contains("\n") && "\(error)".contains(path), "\(error)")
            if isData {
              #expect(
                "\(error)".contains("\(name): damaged, or not the file that was exported")
                  && "\(error)".contains("take tensors_sha256 and digest out of \(kind.document)"), "\(error)")
            }
          }
        }
      }
      #expect(refused > places.count / 4, "\(name): \(refused) of \(places.count)")
      try Data(whole).write(to: URL(filePath: "\(path)/\(name)"))
    }
    #expect(try read(path) == right)
  }

  /// Replaces a text of a file.
  private func replace(_ path: String, _ old: String, with new: String) throws {
    let before = try String(contentsOfFile: path, encoding: .utf8)
    let after = before.replacing(old, with: new)
    #expect(after != before, "\(path) has no \(old)")
    try after.write(toFile: path, atomically: false, encoding: .utf8)
  }

  /// Takes keys out of a document, as a user may.
  private func remove(_ keys: [String], from path: String) throws {
    var document =
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any] ?? [:]
    for key in keys { #expect(document.removeValue(forKey: key) != nil, "\(path) has no \(key)") }
    try JSONSerialization.data(withJSONObject: document).write(to: URL(filePath: path))
  }

  @Test("a value changed by hand is refused until the digest is taken out")
  func changedValues() throws {
    let path = try exported(.imageLoRA)
    let file = path + "/adapter_config.json"
    for (key, old, new) in [
      ("rank", "2", "1"), ("alpha", "4", "8"), ("normalization", "\"inverse_sqrt_selected\"", "\"none\""),
      ("max_pixels", "602112", "602113"), ("coordinates", "\"pixels\"", "\"relative_1000\""),
      ("base_full_digest", "\"0123\"", "\"0124\""),
    ] {
      let whole = try bytes(of: file)
      try replace(file, "\"\(key)\" : \(old)", with: "\"\(key)\" : \(new)")
      for body in [{ _ = try AdapterFolder.load(path, base: text) }, { _ = try AdapterFolder.provenance(path) }] {
        #expect(
          line(body)
            == "\(file): damaged or changed since it was written: its digest is not that of its other keys; export the "
            + "adapter again, or take the key digest out if the change is meant")
      }
      try Data(whole).write(to: URL(filePath: file))
    }
    try replace(file, "\"alpha\" : 4", with: "\"alpha\" : 8")
    try remove(["digest"], from: file)
    #expect(try AdapterFolder.load(path, base: text).configuration.alpha == 8)
    // The tensors' digest holds on.
    try Data(bytes(of: path + "/adapter.safetensors").map { $0 ^ 1 }).write(
      to: URL(filePath: path + "/adapter.safetensors"))
    #expect(line { _ = try AdapterFolder.load(path, base: text) }.contains("tensors_sha256"))
  }

  @Test("PEFT's configuration is covered where it changes results, and the base's name may be another")
  func configurationOfPEFT() throws {
    let path = try exported(.lora)
    let file = path + "/adapter_config.json"
    let right = try read(path)
    try replace(file, "models/base", with: "/data/base")
    #expect(try read(path) == right)
    try replace(file, "\"lora_alpha\" : 6", with: "\"lora_alpha\" : 7")
    for body in [{ _ = try AdapterFolder.load(path, base: text) }, { _ = try AdapterFolder.provenance(path) }] {
      #expect(
        line(body)
          == "\(file): damaged, or not the file that was exported: its SHA-256 is not config_digest of conditions.json; "
          + "fetch it or export the adapter again, or take config_digest and digest out of conditions.json if the change "
          + "is meant")
    }
    try remove(["config_digest", "digest"], from: path + "/conditions.json")
    #expect(try AdapterFolder.load(path, base: text).configuration.alpha == 7)
  }

  @Test(
    "Python in a folder is what was exported, or inspect says so; nothing else depends on it",
    arguments: [("image_lora.py", "code_sha256"), ("image_lora_pt.py", "pt_code_sha256")])
  func code(name: String, key: String) throws {
    let path = try exported(.imageLoRA)
    #expect(try AdapterFolder.inventory(path).hasCode)
    let right = try read(path)
    let file = path + "/" + name
    let whole = try bytes(of: file)
    for index in stride(from: 0, to: whole.count, by: 97) {
      var damaged = whole
      damaged[index] ^= 1 << UInt8(index % 8)
      try Data(damaged).write(to: URL(filePath: file))
      #expect(
        line { _ = try AdapterFolder.inventory(path) }
          == "\(file): damaged, or not the file that was exported: its SHA-256 is not \(key) of adapter_config.json; "
          + "fetch it or export the adapter again, or take \(key) and digest out of adapter_config.json if the change "
          + "is meant")
      #expect(try read(path) == right)
    }
    try FileManager.default.removeItem(atPath: file)
    #expect(try AdapterFolder.inventory(path).hasCode == (name != "image_lora.py") && read(path) == right)
  }

  @Test("the base's name and revision, of both kinds", arguments: Kind.allCases)
  func baseName(kind: Kind) throws {
    let path = try exported(kind)
    #expect(try AdapterFolder.inventory(path).baseName == ModelName(name: "org/base", revision: "0123"))
    let config = try String(contentsOfFile: path + "/adapter_config.json", encoding: .utf8)
    #expect(
      config.contains(#""base_model_name_or_path" : "\#(kind == .lora ? "models/base" : "org/base")""#), "\(config)")
  }

  @Test("PEFT's configuration names the base's revision with its repository alone, and is read where nothing else is")
  func revision() throws {
    let name = ModelName(name: "org/base", revision: "0123")
    for (base, expected) in [(nil, name), ("models/base", ModelName(name: "models/base"))] {
      let path = try exported(.lora, base: base)
      #expect(try AdapterFolder.inventory(path).baseName == name)
      #expect(try PEFTConfiguration(folder: path).baseName == expected)
      try FileManager.default.removeItem(atPath: path + "/conditions.json")
      #expect(try AdapterFolder.inventory(path).baseName == expected)
      try FileManager.default.removeItem(atPath: path)
    }
  }

  @Test("another version of the form is refused, one that is not stated is the first") func formatVersion() throws {
    let path = try exported(.imageLoRA)
    let file = path + "/adapter_config.json"
    try remove(["digest"], from: file)
    try replace(file, "\"format_version\":1", with: "\"format_version\":2")
    for body in [{ _ = try AdapterFolder.load(path, base: text) }, { _ = try AdapterFolder.inventory(path) }] {
      #expect(line(body) == "\(file): format_version 2, this program reads 1; use the program that exported it")
    }
    try remove(["format_version"], from: file)
    #expect(try AdapterFolder.load(path, base: text).configuration == Kind.imageLoRA.configuration)
  }

  @Test("folders of earlier versions and of PEFT have no digests and are read", arguments: Kind.allCases)
  func folderWithoutDigests(kind: Kind) throws {
    let path = try exported(kind)
    let right = try read(path)
    try remove(
      ["digest", "tensors_sha256"] + (kind == .lora ? ["config_digest"] : []), from: "\(path)/\(kind.document)")
    #expect(try read(path) == right)
    let tensors = URL(filePath: "\(path)/\(kind.tensors)")
    var data = try Data(contentsOf: tensors)
    data[data.count - 1] ^= 1
    try data.write(to: tensors)
    #expect(try read(path) != right)
  }

  @Test("hand-made documents: every fault is said in this program's words")
  func handMade() throws {
    let path = try exported(.imageLoRA)
    let keys: [(String, String)] = [
      (#"{"adapter_type": 3}"#, "adapter_type: expected a text, found 3"),
      (#"{"adapter_type": "lora"}"#, #"adapter_type "lora" is not image_lora"#),
      ("[]", "expected an object, found an array"), ("{", "byte 1: expected a key in an object"),
      (#"{"adapter_type": "image_lora", "rank": 2, "rank": 4}"#, "rank: given twice"),
      (#"{"adapter_type": "image_lora", "rank": 2, "alpha": "x"}"#, #"alpha: expected a number, found "x""#),
      (#"{"adapter_type": "image_lora", "rank": 2.5}"#, "rank: expected a whole number, found 2.5"),
      (#"{"adapter_type": "image_lora", "rank": 2, "alpha": 4}"#, #"has no "normalization""#),
      (
        #"{"adapter_type": "image_lora", "rank": 2, "alpha": 4, "normalization": "all"}"#,
        #"normalization "all" is not inverse_sqrt_selected or none"#
      ),
      (
        #"{"adapter_type": "image_lora", "rank": 2, "alpha": 4, "normalization": "none", "kv_indices": {"0": ["1"]}}"#,
        "kv_indices: expected lists of whole numbers by layer, found an object"
      ),
      (
        #"{"adapter_type": "image_lora", "rank": 2, "alpha": 4, "normalization": "none", "kv_indices": {"00": [1]}}"#,
        #"kv_indices of layer "00", [1], do not fit the model"#
      ),
      (#"{"digest": 7}"#, "its digest is not that of its other keys"),
    ]
    for (document, words) in keys {
      try document.write(toFile: path + "/adapter_config.json", atomically: false, encoding: .utf8)
      let said = line { _ = try AdapterFolder.load(path, base: text) }
      #expect(said.hasPrefix(path) && said.contains(words) && !said.contains("\n"), "\(said)")
    }
  }
}
