import Adapters
import Files
import Foundation
import HuggingFace
import TestSupport
import Testing
import TinyModels

@testable import Artifacts

@Suite("Selection files: written, read back, and refused for another model")
struct SelectionFileTests {
  /// 3 layers, 2 KV heads.
  let text = TextConfiguration.tiny
  let selection = HeadSelection.influence(
    scores: [[1, 3], [0.25, 0], [1e-3, 2]], numHeads: 3, tau: 0.5, method: "influence/rank1")

  @Test func roundTrip() throws {
    #expect(try HeadSelection(json: selection.json(), file: "s.json", capacity: text.headCapacity) == selection)
    let folder = try TemporaryFolder()
    try selection.write(to: folder.path("s.json"))
    let written = try String(contentsOfFile: folder.path("s.json"), encoding: .utf8)
    #expect(try HeadSelection(json: written, file: "s.json", capacity: text.headCapacity) == selection)
  }

  /// The keys that the authors' scripts read, every layer listed in each.
  @Test func keysOfTheAuthors() throws {
    let json = try JSONSerialization.jsonObject(with: Data(try selection.json().utf8))
    let document = try #require(json as? [String: Any])
    #expect(
      document.keys.sorted() == ["hkv", "kv_indices", "layer_budgets_kv", "method", "num_heads", "scores", "tau"])
    #expect(document["num_heads"] as? Int == 3)
    #expect(document["kv_indices"] as? [String: [Int]] == ["0": [0, 1], "1": [], "2": [1]])
    #expect(document["layer_budgets_kv"] as? [String: Int] == ["0": 2, "1": 0, "2": 1])
    #expect(document["hkv"] as? [String: Int] == ["0": 2, "1": 2, "2": 2])
    #expect((document["scores"] as? [String: [Double]])?["2"] == [1e-3, 2])
  }

  @Test("one flipped bit anywhere in a file: refused in one line, or the same selection")
  func flips() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("s.json")
    try selection.write(to: path)
    let whole = try bytes(of: path)
    var refused = 0
    for index in whole.indices {
      for bit in [0, 2, 3, 5] {
        var damaged = whole
        damaged[index] ^= 1 << UInt8(bit)
        try folder.write("s.json", damaged)
        do {
          #expect(
            try HeadSelection(reading: path, of: text) == selection, "byte \(index), bit \(bit)")
        } catch {
          refused += 1
          #expect(!"\(error)".contains("\n") && "\(error)".contains(path), "\(error)")
        }
      }
    }
    #expect(refused > 3 * whole.count)
  }

  @Test("a value changed by hand is refused until the digest is taken out")
  func changedByHand() throws {
    let folder = try TemporaryFolder()
    try selection.write(to: folder.path("s.json"))
    let written = try String(contentsOfFile: folder.path("s.json"), encoding: .utf8)
    let changed = written.replacing("\"tau\" : 0.5", with: "\"tau\" : 1")
    #expect(
      line { _ = try HeadSelection(json: changed, file: "s.json", capacity: text.headCapacity) }
        == "s.json: damaged or changed since it was written: its digest is not that of its other keys; select heads for "
        + "this model, or take the key digest out if the change is meant")
    let meant = changed.replacing(/"digest" : "[0-9a-f]{64}",/, with: "")
    #expect(try HeadSelection(json: meant, file: "s.json", capacity: text.headCapacity).tau == 1)
  }

  @Test("heads of another kind are refused, whatever a file says of its layers; one that says nothing is taken")
  func kinds() throws {
    var hybrid = text
    hybrid.layerTypes = [.linearAttention, .fullAttention, .linearAttention]
    let folder = try TemporaryFolder()
    let path = folder.path("s.json")
    for kind in ValueHeads.allCases {
      var written = HeadSelection.all(capacity: kind.capacity(hybrid))
      written.linearLayers = hybrid.linearLayers(in: kind.capacity(hybrid))
      try written.write(to: path)
      #expect(try HeadSelection(reading: path, of: hybrid, kind) == written)
      for other in ValueHeads.allCases where other != kind {
        #expect(throws: FileError.self, "\(kind) for \(other)") { try HeadSelection(reading: path, of: hybrid, other) }
      }
    }
    try folder.write("s.json", Array(#"{"kv_indices": {"1": [1]}, "linear_layers": []}"#.utf8))
    #expect(
      line { _ = try HeadSelection(reading: path, of: hybrid, .both) }
        == "\(path): linear_layers are [], with this run's adapter.value_heads they are [0, 2]; select heads for this model"
    )
    try folder.write("s.json", Array(#"{"kv_indices": {"1": [1]}}"#.utf8))
    #expect(try HeadSelection(reading: path, of: hybrid, .both).kind == .both)
  }

  /// The least that the authors' training script writes is enough.
  @Test func onlyIndices() throws {
    let found = try HeadSelection(json: #"{"kv_indices": {"2": [1, 0]}}"#, file: "s.json", capacity: text.headCapacity)
    #expect(found.kvIndices == [[], [], [0, 1]] && found.numHeads == 2 && found.method == "file")
  }

  @Test(arguments: [
    (#"{"kv_indices": {"3": [0]}}"#, "layer 3 is not one of the model's 3 layers"),
    (#"{"kv_indices": {"1": [0], "01": [1]}}"#, "layer 01 is not one of the model's 3 layers"),
    (#"{"kv_indices": {"-1": [0]}}"#, "layer -1 is not one of the model's 3 layers"),
    (#"{"kv_indices": {"0": [2]}}"#, "layer 0 selects heads [2] of 2"),
    (#"{"kv_indices": {"0": [1, 1]}}"#, "layer 0 selects heads [1, 1] of 2"),
    (#"{"kv_indices": {"0": [0]}, "hkv": {"0": 4}}"#, "hkv of layer 0 is 4, the model has 2 heads there"),
    (#"{"kv_indices": {"0": []}}"#, "no head is selected"),
    (#"{"kv_indices": {"0": [0]}, "scores": {"0": [1]}}"#, "scores of layer 0 are not 2 numbers"),
    (#"{"kv_indices": [0]}"#, "not a selection"), ("{", "not a selection"),
  ])
  func anotherModelsSelectionIsRefused(json: String, words: String) {
    let said = line { _ = try HeadSelection(json: json, file: "s.json", capacity: text.headCapacity) }
    #expect(said.hasPrefix("s.json: \(words)") && !said.contains("\n"), "\(said)")
  }
}
