import GradientCheck
import HuggingFace
import QwenVL
import Tensors
import Testing

@testable import Adapters

@Suite("Gradients through the whole decoder agree with finite differences in double precision")
struct DecoderGradientTests {
  /// Which family's parts the decoder has, and whether two branches follow a prefix.
  struct Setting: Sendable {
    let family: ModelConfiguration.Family
    let branches: Bool
    var model: TinyDecoder { TinyDecoder(family) }

    /// Qwen2-VL's decoder is Qwen2.5-VL's.
    static let all = ModelConfiguration.Family.allCases.filter { $0 != .qwen2_vl }.flatMap { family in
      [false, true].map { Setting(family: family, branches: $0) }
    }
  }

  /// Every number of A, B and gamma, over plain sequences and branches, with the lowest adapted layer at the bottom, in
  /// the middle, and at the top where only the answers' tokens are queries.
  @Test(arguments: [[0: [0, 1], 2: [1]], [1: [0], 2: [0, 1]], [2: [1]]] as [[Int: [Int]]], Setting.all)
  func imageLoRA(kvIndices: [Int: [Int]], setting: Setting) {
    let model = setting.model
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(
        rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: model.atLayers(kvIndices)),
      text: model.text)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let input = model.input(branches: setting.branches)
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients) { model.loss(input, adapter) }
    #expect(error < 1e-8)
  }

  /// Selected heads of layers of either kind.
  struct Heads: Sendable {
    var linear: [Int: [Int]]
    var attention: [Int: [Int]] = [:]
  }

  /// Value heads of linear attention, alone and with KV heads: the lowest adapted layer of either kind, also with a
  /// layer of linear attention as the last, where only the answers' tokens are queries.
  @Test(
    arguments: [
      Heads(linear: [1: [0, 2], 3: [1]]), Heads(linear: [3: [0, 1, 2, 3]]), Heads(linear: [5: [0, 1, 2, 3]]),
      Heads(linear: [1: [1, 3]], attention: [0: [1]]), Heads(linear: [5: [0, 3]], attention: [4: [0, 1]]),
      Heads(linear: [1: [2], 5: [0]], attention: [2: [0]]),
    ], [false, true])
  func valueHeads(heads: Heads, branches: Bool) {
    let model = TinyDecoder(.qwen3_5)
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(
        rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: heads.attention,
        valueHeadIndices: heads.linear),
      text: model.text)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let input = model.input(branches: branches)
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients, fourthOrder: true) {
      model.loss(input, adapter)
    }
    #expect(error < 1e-8)
    for tensor in adapter.layout.tensors {
      #expect(adapter.gradients.values[tensor.range].contains { $0 != 0 }, "\(tensor.name) has a gradient")
    }
    // What is not saved is recomputed to the same bits.
    let expected = adapter.gradients.values
    adapter.resetGradients()
    model.backward(input, adapter, activationBytes: 0)
    #expect(adapter.gradients.values == expected)
  }

  /// Activations that are not saved are recomputed to the same bits; one layer's fit, or none.
  @Test(arguments: [0, 6000, 12_000], ModelConfiguration.Family.allCases)
  func recomputedActivations(activationBytes: Int, family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    var numbers = TestNumbers(seed: 5)
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(
        rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: model.atLayers([0: [0], 1: [1], 2: [0, 1]])),
      text: model.text)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let input = model.input(branches: true)
    model.backward(input, adapter)
    let expected = adapter.gradients.values
    adapter.resetGradients()
    model.backward(input, adapter, activationBytes: activationBytes)
    #expect(adapter.gradients.values == expected)
  }

  /// The gate estimator's gradient is that of v (1 + g), the rank-1 estimator's that of B in v + (x A) B.
  @Test(arguments: Setting.all, ValueHeads.allCases) func influence(setting: Setting, heads: ValueHeads) {
    let model = setting.model
    guard heads == .attention || setting.family == .qwen3_5 else { return }
    var numbers = TestNumbers(seed: 9)
    let projections = (0..<model.text.layers).map { _ in (0..<8).map { _ in numbers.next() } }
    let probe = InfluenceProbe<Double>(text: model.text, projections: projections, heads: heads)
    let input = model.input(branches: setting.branches)
    model.backward(input, probe)
    let gates = GateAdapter(model.text, heads, projections: projections)
    #expect(
      gradientError(of: gates.gate, gradient: probe.gateGradient, fourthOrder: true) { model.loss(input, gates) } < 1e-8
    )
    #expect(
      gradientError(of: gates.loraB, gradient: probe.rank1Gradient, fourthOrder: true) { model.loss(input, gates) }
        < 1e-8)
  }

  /// The norm of a head's weight gradient is the sum of the squared rank-1 gradients over projections to each axis.
  @Test(arguments: Setting.all, ValueHeads.allCases) func weightGradients(setting: Setting, heads: ValueHeads) {
    let model = setting.model
    guard heads == .attention || setting.family == .qwen3_5 else { return }
    let input = model.input(branches: setting.branches)
    func probe(_ axis: Int) -> InfluenceProbe<Double> {
      let projection = (0..<8).map { $0 == axis ? 1.0 : 0 }
      let probe = InfluenceProbe<Double>(
        text: model.text, projections: Array(repeating: projection, count: model.text.layers), heads: heads)
      model.backward(input, probe)
      return probe
    }
    let probes = (0..<8).map(probe)
    var sums = [Double](repeating: 0, count: probes[0].weightGradientNorm2.count)
    for probe in probes {
      let squares = probe.rank1Norm2(probe.rank1Gradient.values)
      for index in sums.indices { sums[index] += squares[index] }
    }
    let largest = sums.max() ?? 0
    #expect(largest > 0)
    for (norm, sum) in zip(probes[3].weightGradientNorm2, sums) { #expect(abs(norm - sum) <= 1e-12 * largest) }
  }

  /// Text without images gives the frozen model's numbers, bit for bit, and no gradient.
  @Test(arguments: ModelConfiguration.Family.allCases) func textOnlyIsTheBase(family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: model.atLayers([0: [0, 1], 1: [1]])),
      text: model.text)
    adapter.load((0..<adapter.layout.count).map { Double($0) })
    var input = model.input(branches: false)
    input.visual = []
    let with = model.decoder.forwardSavingActivations(input, outputPositions: [3, 13], adapter: adapter)
    let without = model.decoder.forward(input, outputPositions: [3, 13], adapter: nil)
    #expect(with.hidden.values == without.values)
    model.backward(input, adapter)
    #expect(adapter.gradients.values.allSatisfy { $0 == 0 })
  }

  /// Each level is added after its own layer, also to the few queries of the last layer, and no level more.
  @Test func deepstack() {
    let outputs = [1, 5, 8, 13]
    func hidden(_ levels: Int, _ outputs: [Int]) -> Matrix<Double> {
      let model = TinyDecoder(.qwen3_vl)
      var input = model.input(branches: true)
      input.visual = input.visual.map {
        VisualSpan(tokens: $0.tokens, features: $0.features.columns(0..<8 * (1 + levels)))
      }
      return model.decoder.forward(input, outputPositions: outputs, adapter: nil)
    }
    var seen: [[Double]] = []
    for levels in 0...3 {
      let (all, asked) = (hidden(levels, Array(0..<14)), hidden(levels, outputs))
      for (row, position) in outputs.enumerated() {
        for j in 0..<8 { #expect(abs(all.row(position)[j] - asked.row(row)[j]) < 1e-12) }
      }
      seen.append(asked.values)
    }
    #expect(Set(seen).count == 4)
    // Text before the first image sees none of it.
    #expect(Set(seen.map { $0[0..<8] }).count == 1)
    // The last layer's level reaches the images' tokens alone, for no layer follows.
    #expect(seen[2][24..<32] == seen[3][24..<32] && seen[2][8..<16] != seen[3][8..<16])
  }
}

/// Both estimators as trainable parameters in the forward pass, the plain twin of `InfluenceProbe`.
private final class GateAdapter: ProjectionAdapter {
  let gate, loraB: Matrix<Double>
  private let capacity, dimensions: [Int]
  private let projections: [[Double]]
  init(_ text: TextConfiguration, _ heads: ValueHeads, projections: [[Double]]) {
    self.projections = projections
    capacity = heads.capacity(text)
    dimensions = (0..<text.layers).map { text.isLinear($0) ? text.linearAttention.valueDimension : text.headDimension }
    gate = Matrix(zeros: text.layers, capacity.max() ?? 0)
    loraB = Matrix(zeros: text.layers, 8)
  }
  var tokens: AdaptedTokens { .visual }
  var lowestLayer: Int? { 0 }
  func adapts(_ layer: Int, _ projection: Projection) -> Bool { projection == .value }

  func forward(
    layer: Int, _ projection: Projection, input: Matrix<Double>, output values: Matrix<Double>, rows: AdaptedRows
  ) {
    guard projection == .value, capacity[layer] > 0 else { return }
    let D = dimensions[layer]
    for row in rows.spans.joined() {
      let u = Double.dot(8, input.row(row), projections[layer])
      for j in 0..<capacity[layer] * D {
        values.row(row)[j] = values.row(row)[j] * (1 + gate.row(layer)[j / D]) + u * loraB.row(layer)[j]
      }
    }
  }

  func backward(
    layer: Int, _ projection: Projection, input: Matrix<Double>, values: Matrix<Double>?, dOutput: Matrix<Double>,
    rows: AdaptedRows, dInput: Matrix<Double>?
  ) {}
}
