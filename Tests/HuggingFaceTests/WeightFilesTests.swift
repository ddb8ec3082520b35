// Which files of a folder are its weights: old indices, old shards, pointers of Git LFS, names in two Unicode forms.
import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct WeightFilesTests {
  static let index = "model.safetensors.index.json"

  @Test("model.safetensors is read before an index, whether the index's shards are gone or there")
  func staleIndex() throws {
    let folder = try TemporaryFolder([Self.index: #"{"weight_map":{"x":"model-00001-of-00002.safetensors"}}"#])
    try folder.write("model.safetensors", CheckpointTests.shard(["x", "y"]))
    let gone = try Checkpoint(folder: folder.path)
    #expect(gone.names == ["x", "y"] && gone.notices.count == 1)
    #expect(gone.notices[0].hasPrefix(folder.path(Self.index)) && gone.notices[0].contains("not read"))
    try folder.write("model-00001-of-00002.safetensors", CheckpointTests.shard(["x", "z"]))
    let there = try Checkpoint(folder: folder.path)
    #expect(there.names == ["x", "y"] && there.notices.count == 2)
    #expect(there.notices[1].contains("1 safetensors files") && there.notices[1].contains("00001-of-00002"))
    #expect(there.digest == gone.digest)
    try folder.write(Self.index, Array("{".utf8))
    #expect(try Checkpoint(folder: folder.path).names == ["x", "y"])
  }

  @Test("Shards that an index does not name are left out, with a line that names three of them")
  func staleShards() throws {
    let folder = try TemporaryFolder([Self.index: #"{"weight_map":{"x":"model-00001-of-00001.safetensors"}}"#])
    try folder.write("model-00001-of-00001.safetensors", CheckpointTests.shard(["x"]))
    #expect(try Checkpoint(folder: folder.path).notices.isEmpty)
    for number in 1...4 {
      try folder.write("model-0000\(number)-of-00004.safetensors", CheckpointTests.shard(["x"]))
    }
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.names == ["x"] && checkpoint.notices.count == 1)
    #expect(checkpoint.notices[0].contains("4 safetensors files") && checkpoint.notices[0].hasSuffix(", ..."))
    #expect(!checkpoint.notices[0].contains("\n"))
  }

  @Test("A copy with changed tensors has the weights alone: each once, without old shards and indices")
  func copy() throws {
    let folder = try TemporaryFolder([Self.index: #"{"weight_map":{"x":"old.safetensors"}}"#, "config.json": "{}"])
    try folder.write("model.safetensors", CheckpointTests.shard(["x", "y"]))
    try folder.write("old.safetensors", CheckpointTests.shard(["x"]))
    let target = try TemporaryFolder()
    var seen: [String] = []
    try ModelFolderCopy.write(from: folder.path, to: target.path) { tensor in
      seen.append(tensor.name)
      return tensor.name == "y" ? [2] : nil
    }
    #expect(seen == ["x", "y"] && target.names == ["config.json", "model.safetensors"])
    let checkpoint = try Checkpoint(folder: target.path)
    let value = try checkpoint.tensor("y", shape: [1]).base.load(as: Float.self)
    withExtendedLifetime(checkpoint) { #expect(value == 2) }
  }

  @Test("Pickled weights alone are refused by name, and a file that config.json names")
  func pickled() throws {
    let folder = try TemporaryFolder(["pytorch_model.bin": "x"])
    expectError("pytorch_model.bin", "save_pretrained") { _ = try Checkpoint(folder: folder.path) }
    try folder.write("model.safetensors", CheckpointTests.shard(["x"]))
    #expect(try Checkpoint(folder: folder.path).names == ["x"])
    let path = Fixtures.path("qwen2.5-vl") + "/config.json"
    let config = try String(contentsOfFile: path, encoding: .utf8)
    let changed = config.replacing("{", with: #"{"transformers_weights": "other.safetensors","#, maxReplacements: 1)
    try folder.write("config.json", Array(changed.utf8))
    expectError("transformers_weights", "other.safetensors") { _ = try ModelConfiguration(folder: folder.path) }
  }

  static let pointer = """
    version https://git-lfs.github.com/spec/v1
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
    size 12345

    """

  @Test(
    "A pointer of Git LFS in any file's place is one line that says so",
    arguments: [
      "model.safetensors", "1.safetensors", index, "tokenizer.json", "vocab.json", "merges.txt", "config.json",
      "tokenizer_config.json", "preprocessor_config.json", "chat_template.jinja",
    ])
  func pointers(name: String) throws {
    let folder = try TemporaryFolder([
      Self.index: #"{"weight_map":{"x":"1.safetensors"}}"#, "vocab.json": TokenizerFilesTests.vocab(),
      "merges.txt": "a b\n", "tokenizer_config.json": "{}",
    ])
    try folder.write("1.safetensors", CheckpointTests.shard(["x"]))
    try folder.write(name, Array(Self.pointer.utf8))
    expectError("/\(name): ", "Git LFS pointer", "git lfs pull") {
      _ = try Checkpoint(folder: folder.path)
      _ = try Tokenizer(folder: folder.path)
      if name == "preprocessor_config.json" { _ = try PreprocessorConfiguration(folder: folder.path) }
      if name.hasPrefix("chat") { _ = try ChatTemplate(folder: folder.path) }
      _ = try ModelConfiguration(folder: folder.path)
    }
  }

  @Test("Tensors, shards and keys in two Unicode forms are two")
  func forms() throws {
    let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
    let folder = try TemporaryFolder([
      Self.index: #"""
      {"weight_map": {"\#(composed)": "\#(composed).safetensors", "\#(decomposed)": "\#(decomposed).safetensors"}}
      """#
    ])
    for name in [composed, decomposed] { try folder.write(name + ".safetensors", CheckpointTests.shard([name])) }
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.names.map(ExactString.init(_:)) == [ExactString(decomposed), ExactString(composed)])
    #expect(checkpoint.unclaimed.count == 2)
    _ = try checkpoint.tensor(decomposed, shape: [1])
    #expect(checkpoint.unclaimed.map(ExactString.init(_:)) == [ExactString(composed)])
    let fields = try Fields(.object([.init(key: composed, value: .integer(1))]), file: "f")
    #expect(fields[decomposed] == nil && fields[composed] == .integer(1))
    _ = try Fields(.object([composed, decomposed].map { .init(key: $0, value: .null) }), file: "f")
  }
}
