// The fixtures' files, checked against their hashes before they are used.
import Digests
import Foundation
import QwenVL
import Tensors
import Testing
import Inspection

/// A model, examples, an adapter and the reference's numbers in one folder.
struct Fixture {
  private let folder: URL
  /// Of model and examples.
  private let base: URL

  /// - Throws: a failed requirement if a file of the folder is missing, added or not the one that the reference saw.
  /// - Parameter base: the fixture whose model and examples it shares; its own unless stated.
  init(_ name: String, base: String? = nil) throws {
    let resources = Bundle.module.bundleURL.appendingPathComponent("Resources")
    folder = resources.appendingPathComponent(name)
    self.base = resources.appendingPathComponent(base ?? name)
    let sums = try String(contentsOf: resources.appendingPathComponent("SHA256SUMS"), encoding: .utf8)
    let lines = sums.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let expected = Dictionary(uniqueKeysWithValues: try lines.map { ($0[try #require($0.indices.last)], $0[0]) })
    let found = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { path in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: file(path), isDirectory: &isFolder) && !isFolder.boolValue
    }.map { "\(name)/\($0)" }
    try #require(Set(found) == Set(expected.keys.filter { $0.hasPrefix("\(name)/") }), "files and SHA256SUMS differ")
    for file in found {
      let digest = SHA256.hex(Array(try Data(contentsOf: resources.appendingPathComponent(file))))
      try #require(digest == expected[file], "\(file) is not the file that the reference was made with")
    }
  }

  func file(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// What `imagelora parity` does.
  func writeParity(to output: String, precision: Precision = .float32) throws {
    let linear = file("adapter_linear")
    try Inspection.writeParity(
      model: model, data: base.appendingPathComponent("data.jsonl").path, adapter: file("adapter"),
      linearAdapter: FileManager.default.fileExists(atPath: linear) ? linear : nil, output: output, seed: 0,
      precision: precision)
  }

  /// Cosines of gradients in bf16 by PyTorch's autocast to those in fp32, by fixture and example.
  static func autocastCosines() throws -> [String: [String: Double]] {
    let file = Bundle.module.bundleURL.appendingPathComponent("Resources/bf16-autocast.json")
    return try JSONDecoder().decode([String: [String: Double]].self, from: Data(contentsOf: file))
  }

  var model: String { base.appendingPathComponent("model").path }
}

/// A path in the temporary folder; its file goes with it.
final class TemporaryFile {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("parity-\(UUID().uuidString).h5").path
  init() throws {}
  deinit { try? FileManager.default.removeItem(atPath: path) }
}
