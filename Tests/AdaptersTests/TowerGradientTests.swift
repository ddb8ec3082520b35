import GradientCheck
import Layers
import Tensors
import Testing

@testable import Adapters
@testable import HuggingFace
@testable import QwenVL

@Suite("LoRA on the vision tower, through the whole model, agrees with finite differences in double precision")
struct TowerGradientTests {
  /// What is adapted of the tower.
  enum Part: CaseIterable {
    case all, mergers, deepstack, upperMLP, lowerAttention, projections

    func modules(_ vision: VisionConfiguration) -> [TowerModule] {
      vision.modules.filter { module in
        switch (self, module.part, module.role) {
        case (.all, _, _), (.mergers, .merger, _), (.mergers, .deepstackMerger, _), (.deepstack, .deepstackMerger, _):
          true
        case (.upperMLP, .block(1), let role): ![.queryKeyValue, .attentionOutput].contains(role)
        case (.lowerAttention, .block(0), .queryKeyValue): true
        case (.projections, .block, .attentionOutput): true
        default: false
        }
      }
    }
  }

  @Test(
    "every number of A and B: all of the tower, mergers, an MLP, attention; beside modules of the decoder and alone",
    arguments: ModelConfiguration.Family.allCases, Part.allCases)
  func everyNumber(family: ModelConfiguration.Family, part: Part) throws {
    let model = TinyTower(family)
    let modules = part.modules(model.vision)
    guard !modules.isEmpty else {
      // Only Qwen3-VL has deepstack.
      return #expect(part == .deepstack && family != .qwen3_vl)
    }
    let adapter = model.adapter(part == .upperMLP ? [0: [.up]] : [:], modules)
    try model.backward(adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients, fourthOrder: true, step: 4e-4) {
      model.loss(adapter, nil)
    }
    #expect(error < 1e-8)
    // What deepstack adds after the last layer reaches visual tokens alone, and no answer.
    for tensor in adapter.layout.tensors where !tensor.name.hasPrefix("visual.deepstack_merger_list.2.") {
      #expect(adapter.gradients.values[tensor.range].contains { $0 != 0 }, "\(tensor.name) has a gradient")
    }
    let expected = adapter.gradients.values
    adapter.resetGradients()
    try model.backward(adapter, bytes: 0)
    #expect(adapter.gradients.values == expected, "what is not saved is recomputed to the same bits")
  }

  @Test("with dropout, tower and decoder together", arguments: [ModelConfiguration.Family.qwen2_5_vl, .qwen3_vl])
  func dropout(family: ModelConfiguration.Family) throws {
    let model = TinyTower(family)
    let layers = model.decoder.text.attentionLayers
    let adapter = model.adapter(
      Dictionary(uniqueKeysWithValues: layers.map { ($0, Projection.attention + Projection.mlp) }),
      model.vision.modules)
    func keys(_ count: Int, from first: UInt64) -> TokenDropout {
      TokenDropout(rate: 0.3, keys: (0..<UInt64(count)).map { first + $0 })
    }
    let dropout = (patches: keys(16, from: 100), tokens: keys(14, from: 1))
    try model.backward(adapter, dropout)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients, fourthOrder: true, step: 4e-4) {
      model.loss(adapter, dropout)
    }
    #expect(error < 1e-8)
    #expect(abs(model.loss(adapter, dropout) - model.loss(adapter, nil)) > 1e-3)
    let expected = adapter.gradients.values
    adapter.resetGradients()
    try model.backward(adapter, dropout, bytes: 0)
    #expect(adapter.gradients.values == expected)
  }
}
