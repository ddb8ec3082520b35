// Adapters of upper layers: the layers below pass once an example, and no bit depends on what of them is cached.
import Adapters
import Collectives
import Datasets
import Foundation
import QwenVL
import RandomNumbers
import Tensors
import TestSupport
import Testing
import TinyModels

@testable import Batches

@Suite("Layers below the lowest adapted one")
struct FrozenLayersTests {
  /// Two questions about one image, one about another, and one without an image.
  private static let rows: [(id: String, image: String, question: String)] = [
    ("a", "0.png", "what?"), ("b", "0.png", "where is it?"), ("c", "1.jpg", "what?"), ("d", "", "1+1?"),
  ]

  private struct Setup {
    let base: BaseModel
    let data: PreparedExamples
    let kept: TemporaryFolder

    init(
      _ fixture: String, memoryBytes: Int = 1 << 24, cache: String? = nil, kept: TemporaryFolder? = nil,
      rows: [(id: String, image: String, question: String)] = FrozenLayersTests.rows, precision: Precision = .float32
    ) throws {
      self.kept = try kept ?? TemporaryFolder()
      base = try BaseModel(
        folder: ParityFixture.path(fixture) + "/model", precision: precision,
        features: FeatureStore.Settings(memoryBytes: memoryBytes, cacheFolder: cache))
      let lines = rows.map { id, image, question in
        let path = "\(ParityFixture.path("qwen3-vl"))/images/\(image)"
        let (images, place) = image.isEmpty ? ("", "") : (#""images": ["\#(path)"], "#, "<image>")
        return #"{"id": "\#(id)", \#(images)"messages": [{"role": "user", "content": "\#(place)\#(question)"}, "#
          + #"{"role": "assistant", "content": "answer \#(id)"}]}"#
      }
      try self.kept.write("rows.jsonl", Array(lines.joined(separator: "\n").utf8))
      let base = base
      data = try PreparedExamples(
        ExampleFiles(self.kept.path("rows.jsonl"), reader: ExampleReader()), isStrict: true,
        features: base.featureStore, communicator: SingleProcess()
      ) { try base.sampleBuilder(maxLength: 4096) }
    }

    /// Losses and gradients of the rows, as three passes.
    func numbers(_ adapter: any Adapter<Float>, frozen: Int) throws -> (losses: [Double], gradients: [Float]) {
      var losses: [Double] = []
      adapter.resetGradients()
      for groups in [
        [ImageGroup(examples: [0, 1])], [ImageGroup(examples: [2]), ImageGroup(examples: [1])],
        [ImageGroup(examples: [3])],
      ] {
        let batch = try base.learnedBatch(groups, of: data, adapter: adapter, frozenLayers: frozen)
        losses += base.lossAndGradient(batch, adapter: adapter).map(\.nll)
        losses += base.loss(batch, adapter: adapter).map(\.nll)
      }
      return (losses, adapter.gradients.values)
    }
  }

  private static func adapters(_ base: BaseModel) -> [any Adapter<Float>] {
    let text = base.configuration.text
    let top = text.layers - 1
    let lora = LoRA<Float>(
      LoRAConfiguration(
        rank: 2, alpha: 4, targets: [top - 1: text.projections(of: top - 1), top: text.projections(of: top)]),
      text: text, vision: nil)
    let heads = text.attentionLayers.suffix(2)
    let image = ImageLoRA<Float>(
      ImageLoRAConfiguration(
        rank: 2, alpha: 4, normalization: .none,
        kvIndices: Dictionary(uniqueKeysWithValues: heads.filter { $0 > 0 }.map { ($0, [0]) })), text: text)
    let all: [any Adapter<Float>] = [lora, image]
    for adapter in all {
      var source = NormalSource(seed: 1)
      adapter.load((0..<adapter.layout.count).map { _ in Float(source.nextGaussian()) * 0.1 })
    }
    return all
  }

  /// The files of hidden states in a cache.
  private static func hiddenStates(in folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder).sorted().map { "\(folder)/\($0)" }.filter { path in
      path.hasSuffix(".h5") && (try? bytes(of: path))?.firstRange(of: Array("hidden_states".utf8)) != nil
    }
  }

  @Test(
    "Losses and gradients are those of whole passes, and their bits do not depend on a cache",
    arguments: ["a", "b", "qwen2-vl", "qwen3-vl", "qwen3.5-a", "qwen3.5-b"])
  func numbers(fixture: String) throws {
    let setup = try Setup(fixture)
    for (place, adapter) in Self.adapters(setup.base).enumerated() {
      let lowest = try #require(adapter.lowestLayer)
      #expect(lowest > 0)
      let whole = try setup.numbers(adapter, frozen: 0)
      let first = try setup.numbers(adapter, frozen: lowest)
      for (a, b) in zip(whole.losses, first.losses) { #expect(abs(a - b) <= 1e-4 * abs(a), "\(a) \(b)") }
      let scale = whole.gradients.map(abs).max() ?? 0
      for (a, b) in zip(whole.gradients, first.gradients) { #expect(abs(a - b) <= 1e-4 * scale) }
      // From memory; without any; into a cache on disk, from it, and with one of its files gone.
      let computed = setup.base.hiddenStateStore.tally.computed
      var others = [try setup.numbers(adapter, frozen: lowest)]
      #expect(setup.base.hiddenStateStore.tally.computed == computed)
      let none = try Setup(fixture, memoryBytes: 0, kept: setup.kept)
      others.append(try none.numbers(Self.adapters(none.base)[place], frozen: lowest))
      let folder = setup.kept.path("cache-\(place)")
      for round in 0..<3 {
        let disk = try Setup(fixture, memoryBytes: round == 2 ? 1 << 24 : 0, cache: folder, kept: setup.kept)
        others.append(try disk.numbers(Self.adapters(disk.base)[place], frozen: lowest))
        let tally = disk.base.hiddenStateStore.tally
        #expect(round == 1 ? tally.computed == 0 && tally.known > 0 : tally.computed > 0)
        guard round == 1 else { continue }
        for file in try Self.hiddenStates(in: folder).prefix(3) { try FileManager.default.removeItem(atPath: file) }
      }
      for other in others { #expect(other.losses == first.losses && other.gradients == first.gradients) }
    }
  }

  /// In bf16 attention rounds keys that many queries see; for how many others the pass has place says nothing of that.
  @Test("Bits do not depend on what else is computed", arguments: Precision.allCases)
  func others(precision: Precision) throws {
    let questions = [12, 400].map { String(repeating: "what? ", count: $0) }
    let setup = try Setup(
      "qwen2-vl", memoryBytes: 0, rows: questions.map { ("\($0.utf8.count)", "0.png", $0) }, precision: precision)
    let rows = try setup.data.examples([0, 1])
    let samples = try rows.enumerated().map { try setup.data.sample(of: $1, at: $0) }
    let together = try setup.base.hiddenStates(of: rows, samples: samples, before: 1)
    for (place, states) in together.enumerated() {
      let alone = try setup.base.hiddenStates(of: [rows[place]], samples: [samples[place]], before: 1)
      #expect(states.values == alone[0].values)
    }
  }
}
