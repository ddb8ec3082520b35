import Adapters
import Foundation
import HDF5
import QwenVL
import TestSupport
import Testing

@testable import HuggingFace
@testable import Training

@Suite("A checkpoint's adapter is read from the file alone")
struct CheckpointFileTests {
  let folder: TemporaryFolder
  let text = TextConfiguration(
    hiddenSize: 8, intermediateSize: 12, layers: 3, attentionHeads: 4, kvHeads: 2, headDimension: 4,
    vocabularySize: 13, rmsNormEpsilon: 1e-6, ropeTheta: 1e4, mropeSection: [1, 1, 0], tieWordEmbeddings: false,
    maxPositionEmbeddings: 64)
  let options = AdamW.Options(beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0)
  init() throws { folder = try TemporaryFolder() }

  private func state(step: Int = 3) -> (TrainingState, AdapterLayout) {
    let selection = HeadSelection.influence(
      scores: [[1, 2], [0, 0], [4, 3]], numHeads: 3, tau: 0.5, method: "influence/gate")
    let configuration = AdapterConfiguration.imageLoRA(
      ImageLoRAConfiguration(
        rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: selection.adapted))
    let layout = configuration.layout(text)
    var optimizer = AdamW(count: layout.count, options: options)
    optimizer.step = step
    return (
      TrainingState(
        step: step, epoch: 1, consumedRows: 24, worldSize: 2, seed: 9, runDigest: "run", runYAML: "not: [a run",
        provenance: .init(baseDigest: "base", templateDigest: "template", minPixels: 3136, maxPixels: 602_112),
        adapter: configuration, parameters: (0..<layout.count).map { Float($0) / 7 }, optimizer: optimizer,
        selection: selection,
        metrics: [.init(step: step, loss: 1.5, learningRate: 1e-3, gradientNorm: 2, tokens: 40)],
        best: .init(step: step, loss: 1.25), validationDue: true), layout
    )
  }

  private func saved() throws -> (TrainingState, AdapterLayout, String) {
    let store = CheckpointStore(directory: folder.path, keep: 2)
    let (state, layout) = state()
    try store.save(state, layout: layout)
    return (state, layout, store.path(step: 3))
  }

  @Test func withoutAModel() throws {
    let (state, layout, path) = try saved()
    let file = try CheckpointFile(path)
    let (configuration, found) = try file.adapter()
    #expect(configuration == state.adapter && found == layout)
    #expect(try file.numbers(layout: found) == state.parameters)
    #expect(try file.provenance() == state.provenance && file.best() == state.best && file.metrics() == state.metrics)
    #expect(try file.step() == 3 && file.consumedRows() == 24 && file.selectionMethod() == "influence/gate")
  }

  @Test func forAModel() throws {
    let (state, _, path) = try saved()
    #expect(try TrainingState(reading: path, text: text, baseDigest: "base", options: options) == state)
    #expect(
      line { _ = try TrainingState(reading: path, text: text, baseDigest: "other", options: options) }
        .contains("it was trained on another base model"))
    var smaller = text
    smaller.layers = 2
    #expect(
      line { _ = try TrainingState(reading: path, text: smaller, baseDigest: "base", options: options) }
        .contains("do not fit the model"))
  }

  /// A LoRA's file has other tensors and no selection; it is read alone and for a model.
  @Test func standardLoRA() throws {
    let options = LoRAConfiguration(
      rank: 2, alpha: 4, targets: [0: [.query, .output], 1: [.query, .output], 2: [.query, .output]])
    var (state, _) = state()
    state.adapter = .lora(options)
    state.selection = nil
    let layout = state.adapter.layout(text)
    state.parameters = (0..<layout.count).map { Float($0) / 7 }
    state.optimizer = AdamW(count: layout.count, options: self.options)
    state.optimizer.step = 3
    let store = CheckpointStore(directory: folder.path, keep: 2)
    try store.save(state, layout: layout)
    let path = store.path(step: 3)
    let file = try CheckpointFile(path)
    let (configuration, found) = try file.adapter()
    #expect(configuration == state.adapter && found == layout)
    #expect(layout.tensors.first?.name == "layers.0.q_proj.A" && layout.tensors.first?.shape == [2, 8])
    #expect(layout.tensors.last?.name == "layers.2.o_proj.B" && layout.tensors.last?.shape == [8, 2])
    #expect(try file.numbers(layout: found) == state.parameters)
    #expect(try TrainingState(reading: path, text: text, baseDigest: "base", options: self.options) == state)
    let card = try ModelCard(file, configuration: configuration, layout: layout).text
    #expect(card.contains("PeftModel") && card.contains("`q_proj`, `o_proj` of 3 decoder layers"))
    var smaller = text
    smaller.attentionHeads = 2
    #expect(
      line { _ = try TrainingState(reading: path, text: smaller, baseDigest: "base", options: self.options) }
        .contains("do not fit the model"))
  }

  /// best.h5 and latest.h5 are names of a checkpoint as good as its own.
  @Test func linksAreVerified() throws {
    let (_, _, path) = try saved()
    try CheckpointStore.verify(folder.path("best.h5"))
    try CheckpointStore.verify(folder.path("latest.h5"))
    #expect(line { try CheckpointStore.verify(folder.path("none.h5")) }.contains("there is no such file"))
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(filePath: path))
    #expect(line { try CheckpointStore.verify(folder.path("best.h5")) }.contains("damaged"))
  }

  /// The card states what the adapter must be used with, also where the run can no longer be read.
  @Test func modelCard() throws {
    let (state, layout, path) = try saved()
    let card = try ModelCard(CheckpointFile(path), configuration: state.adapter, layout: layout).text
    for words in [
      "digest `base`", "3136 to 602112 pixels", "digest `template`", "| 0 | 1 |", "| 2 | 0, 1 |", "rank 2",
      "Never merge it", "visual tokens only", "| Lowest validation loss | 1.2500 at step 3 |",
    ] { #expect(card.contains(words), "\(words)") }
    #expect(!card.contains("  |\n") && card.hasPrefix("---\n") && card.hasSuffix("|\n"))
  }

  /// Whole files whose groups contradict each other.
  @Test(arguments: ["layer", "heads", "twice", "rank", "shape", "narrow", "nan", "incomplete", "version", "alpha"])
  func contradictionsAreRefused(fault: String) throws {
    let path = folder.path("\(fault).h5")
    let file = try File.create(path)
    try file.setAttribute("schema_version", to: Int64(fault == "version" ? 9 : 1))
    try file.setAttribute("complete", to: Int64(fault == "incomplete" ? 0 : 1))
    try file.createGroup("/adapter")
    try file.setAttribute("rank", of: "/adapter", to: Int64(fault == "rank" ? 1 << 40 : 2))
    try file.setAttribute("alpha", of: "/adapter", to: fault == "alpha" ? Double.nan : 4)
    try file.setAttribute("normalization", of: "/adapter", to: "none")
    let heads: [Int32] = fault == "heads" ? [-1] : fault == "twice" ? [0, 0] : [0]
    try file.write(heads, shape: [heads.count], to: "/adapter/kv_indices/\(fault == "layer" ? "01" : "1")")
    let a = fault == "shape" ? [16] : [8, 2]
    var numbers = [Float](repeating: 1, count: 16)
    if fault == "nan" { numbers[3] = .nan }
    try file.write(numbers, shape: a, to: "/adapter/layers.1.A")
    let b = fault == "narrow" ? [2, 1, 4] : [1, 2, 4]
    try file.write([Float](repeating: 1, count: 8), shape: b, to: "/adapter/layers.1.B")
    try file.write([Float(1)], shape: [1], to: "/adapter/layers.1.gamma")
    try file.close()
    let words = [
      "layer": "kv_indices of layer 01", "heads": "kv_indices of layer 1", "twice": "kv_indices of layer 1",
      "rank": "rank 1099511627776", "shape": "/adapter/layers.1.A has shape [16]", "narrow": "its shape is [2, 1, 4]",
      "nan": "is not finite", "incomplete": "not complete", "version": "schema_version 9", "alpha": "alpha nan",
    ]
    let said = line {
      let file = try CheckpointFile(path)
      _ = try file.numbers(layout: file.adapter().layout)
    }
    #expect(said.contains(words[fault] ?? "?") && said.contains(path) && !said.contains("\n"), "\(said)")
  }
}
