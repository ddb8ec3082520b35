import Adapters
import Files
import Foundation
import HDF5
import HuggingFace
import QwenVL
import TestSupport
import Testing
import TinyModels

@testable import Artifacts

@Suite("A checkpoint's adapter is read from the file alone")
struct CheckpointFileTests {
  let folder: TemporaryFolder
  let text = TextConfiguration.tiny
  let base = AdapterProvenance(baseDigest: "base")
  init() throws { folder = try TemporaryFolder() }

  private func state(_ configuration: AdapterConfiguration, selection: HeadSelection? = nil) -> TrainingState {
    let adapter: any Adapter<Float> = configuration.adapter(text, nil)
    adapter.load((0..<adapter.layout.count).map { Float($0) / 7 })
    var identity = RunIdentity.tiny
    identity.provenance.templateVariables = TemplateVariables([("enable_thinking", .bool(false))])
    var state = TrainingState(startOf: identity, adapter: adapter, selection: selection)
    state.optimizer.step = 3
    state.optimizer.expAvg[0] = 0.5
    state.optimizer.expAvgSq[1] = 0.25
    (state.epoch, state.consumedExamples) = (1, 24)
    state.metrics = [.init(step: 3, loss: 1.5, learningRate: 1e-3, gradientNorm: 2, tokens: 40)]
    (state.best, state.validationDue) = (
      .init(step: 3, loss: 1.25, score: .init(name: "point_in_box", value: 0.75)), true
    )
    state.start = .init(step: 0, loss: 2.5, score: .init(name: "point_in_box", value: 0.5))
    return state
  }

  private func saved() throws -> (TrainingState, String) {
    let store = CheckpointStore(directory: folder.path, keep: 2)
    let selection = HeadSelection.influence(
      scores: [[1, 2], [0, 0], [4, 3]], numHeads: 3, tau: 0.5, method: "influence/gate")
    let state = state(
      .imageLoRA(
        ImageLoRAConfiguration(
          rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: selection.adapted)),
      selection: selection)
    try store.save(state)
    return (state, store.path(step: 3))
  }

  private func read(_ path: String, for text: TextConfiguration, base: AdapterProvenance) throws -> TrainingState {
    try TrainingState(reading: path, for: text, nil, base, folder: "M")
  }

  @Test func withoutAModel() throws {
    let (state, path) = try saved()
    let file = try CheckpointFile(path)
    let (configuration, found) = try file.adapter()
    #expect(configuration == state.adapter && found == state.layout)
    #expect(try file.parameters(layout: found) == state.parameters)
    #expect(
      try file.provenance() == state.run.provenance && file.best() == state.best && file.start() == state.start
        && file.metrics() == state.metrics)
    #expect(try file.step() == 3 && file.consumedExamples() == 24 && file.selectionMethod() == "influence/gate")
  }

  @Test func forAModel() throws {
    let (state, path) = try saved()
    #expect(try read(path, for: text, base: base) == state)
    #expect(
      line { _ = try read(path, for: text, base: AdapterProvenance(baseDigest: "other")) }
        .contains("the adapter was trained with a different base model"))
    var smaller = text
    smaller.layers = 2
    #expect(
      line { _ = try read(path, for: smaller, base: base) }
        .contains("do not fit M"))
  }

  /// Ranks and alphas of single modules, and modules of the vision tower.
  @Test func loraOfTower() throws {
    let files = try TinyModel(.qwen3_vl)
    let model = try ModelConfiguration(folder: files.folder)
    var options = LoRAConfiguration(rank: 2, alpha: 4, targets: [1: [.value]], tower: model.vision.modules)
    options.set(.decoder(layer: 1, .value), rank: 3, alpha: 4)
    options.set(.tower(model.vision.modules[4]), rank: 2, alpha: 1)
    let adapter: any Adapter<Float> = AdapterConfiguration.lora(options).adapter(model.text, model.vision)
    adapter.initialize(seed: 1)
    let state = TrainingState(
      startOf: RunIdentity.tiny, adapter: adapter, selection: nil)
    let store = CheckpointStore(directory: folder.path, keep: 2)
    try store.save(state)
    let (configuration, layout) = try CheckpointFile(store.path(step: 0)).adapter()
    #expect(configuration == adapter.configuration && layout == adapter.layout)
    #expect(try TrainingState(reading: store.path(step: 0), for: model.text, model.vision, base, folder: "M") == state)
    #expect(line { _ = try read(store.path(step: 0), for: model.text, base: base) }.contains("do not fit M"))
  }

  /// A LoRA's file has other tensors and no selection; it is read alone and for a model.
  @Test func standardLoRA() throws {
    let options = LoRAConfiguration(
      rank: 2, alpha: 4, targets: [0: [.query, .output], 1: [.query, .output], 2: [.query, .output]])
    let state = state(.lora(options))
    let layout = state.layout
    let store = CheckpointStore(directory: folder.path, keep: 2)
    try store.save(state)
    let path = store.path(step: 3)
    let file = try CheckpointFile(path)
    let (configuration, found) = try file.adapter()
    #expect(configuration == state.adapter && found == layout)
    #expect(layout.tensors.first?.name == "layers.0.q_proj.A" && layout.tensors.first?.shape == [2, 8])
    #expect(layout.tensors.last?.name == "layers.2.o_proj.B" && layout.tensors.last?.shape == [8, 2])
    #expect(try file.parameters(layout: found) == state.parameters)
    #expect(try read(path, for: text, base: base) == state)
    var smaller = text
    smaller.attentionHeads = 2
    #expect(
      line { _ = try read(path, for: smaller, base: base) }
        .contains("do not fit M"))
  }

  /// best.h5 and latest.h5 are names of a checkpoint as good as its own.
  @Test func linksAreVerified() throws {
    let (_, path) = try saved()
    try CheckpointFolder.verify(folder.path("best.h5"))
    try CheckpointFolder.verify(folder.path("latest.h5"))
    #expect(line { try CheckpointFolder.verify(folder.path("none.h5")) }.contains("there is no such file"))
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(filePath: path))
    #expect(line { try CheckpointFolder.verify(folder.path("best.h5")) }.contains("damaged"))
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
      _ = try file.parameters(layout: file.adapter().layout)
    }
    #expect(said.contains(words[fault] ?? "?") && said.contains(path) && !said.contains("\n"), "\(said)")
  }
}
