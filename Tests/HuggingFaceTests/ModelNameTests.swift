import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite("A base model's name: Hugging Face's where its folder tells it, never a guess")
struct ModelNameTests {
  private let revision = String(repeating: "0123abcd", count: 5)

  @Test("a snapshot of the cache, directly and behind a link")
  func snapshots() throws {
    let folder = try TemporaryFolder()
    let snapshot = folder.path("models--Qwen--Qwen2.5-VL-3B-Instruct/snapshots/\(revision)")
    let expected = ModelName(name: "Qwen/Qwen2.5-VL-3B-Instruct", revision: revision)
    // A run is exported where its base no longer is, too.
    #expect(ModelName(folder: snapshot) == expected)
    try FileManager.default.createDirectory(atPath: snapshot, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: folder.path("model"), withDestinationPath: snapshot)
    #expect(ModelName(folder: folder.path("model")) == expected && ModelName(folder: snapshot + "/") == expected)
    #expect(expected.isRepository && !ModelName(name: "Qwen2.5-VL-3B-Instruct").isRepository)
  }

  @Test(
    "what looks like one and is none is named by its folder",
    arguments: [
      "models--Qwen/snapshots/main", "models--a--b--c/snapshots/main", "models--a--b/blobs/x",
      "models--/snapshots/main",
      "models--a--../snapshots/main", "models--a--b\u{e9}/snapshots/main", "datasets--a--b/snapshots/main",
    ])
  func others(path: String) {
    #expect(ModelName(folder: "/nowhere/\(path)") == ModelName(name: path.hasSuffix("x") ? "x" : "main"))
  }

  @Test("a branch in place of a commit is no revision") func branch() {
    #expect(ModelName(folder: "/c/models--a--b/snapshots/main") == ModelName(name: "a/b"))
  }

  @Test(
    "_name_or_path counts where the folder has that name: a fine-tuned one keeps its base's",
    arguments: [
      (#"{"_name_or_path": "Qwen/Tiny"}"#, "Tiny", "Qwen/Tiny"), (#"{"_name_or_path": "Qwen/Tiny"}"#, "mine", "mine"),
      (#"{"_name_or_path": "/data/Tiny"}"#, "Tiny", "Tiny"), (#"{"_name_or_path": 3}"#, "Tiny", "Tiny"),
      (#"{"_name_or_path": "a/b/Tiny"}"#, "Tiny", "Tiny"), ("{", "Tiny", "Tiny"), ("[]", "Tiny", "Tiny"),
      (#"{"_name_or_path": "../Tiny"}"#, "Tiny", "Tiny"), (#"{"_name_or_path": "Qwen/\nTiny"}"#, "Tiny", "Tiny"),
    ])
  func stated(config: String, folder: String, name: String) throws {
    let files = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: files.path(folder), withIntermediateDirectories: false)
    try config.write(toFile: files.path("\(folder)/config.json"), atomically: false, encoding: .utf8)
    #expect(ModelName(folder: files.path(folder)) == ModelName(name: name))
  }
}
