import GradientCheck
import HuggingFace
import QwenVL
import Tensors
import Testing

@testable import Adapters

@Suite("Standard LoRA through the whole decoder agrees with finite differences in double precision")
struct LoRAGradientTests {
  let model = TinyDecoder()

  private func adapter(_ targets: [Int: [Projection]], _ other: TinyDecoder? = nil) -> LoRA<Double> {
    let model = other ?? model
    let adapter = LoRA<Double>(
      LoRAConfiguration(rank: 2, alpha: 3, targets: model.atLayers(targets)), text: model.text, vision: nil)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    return adapter
  }

  /// Every number of A and B, over plain sequences and branches: all projections of all layers; each alone as the
  /// lowest; the last layer alone, where only some tokens are queries.
  @Test(
    arguments: [
      [0: whole, 1: whole, 2: whole], [0: Projection.mlp, 1: [.value]], [1: [.down], 2: [.up]], [1: [.gate, .down]],
      [1: [.output, .up]], [2: whole], [2: [.gate]], [2: [.down]],
      [0: [.query], 1: [.value, .output]], [0: [.key], 2: [.query]], [0: [.value], 1: [.value], 2: [.value]],
      [1: [.output], 2: [.query, .key]], [1: [.output]], [2: [.query]], [2: [.output]],
    ] as [[Int: [Projection]]], DecoderGradientTests.Setting.all)
  func everyNumber(targets: [Int: [Projection]], setting: DecoderGradientTests.Setting) {
    let (model, branches) = (setting.model, setting.branches)
    let adapter = adapter(targets, model)
    let input = model.input(branches: branches)
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients, fourthOrder: true, step: 1e-4) {
      model.loss(input, adapter)
    }
    #expect(error < 1e-8)
    for tensor in adapter.layout.tensors {
      #expect(adapter.gradients.values[tensor.range].contains { $0 != 0 }, "\(tensor.name) has a gradient")
    }
  }

  private static let whole = Projection.attention + Projection.mlp

  /// The same for the projections of linear attention, in layers of their own.
  @Test(
    arguments: [
      [1: Projection.linearAttention, 3: Projection.linearAttention, 5: Projection.linearAttention],
      [0: whole, 1: Projection.linearAttention + Projection.mlp], [1: [.linearInput], 2: [.query]],
      [1: [.linearOutput]], [1: [.linearOutput, .down]], [3: [.linearGate]], [3: [.linearGate, .linearOutput, .up]],
      [3: [.linearDecay], 5: [.linearStrength]], [5: Projection.linearAttention], [5: [.linearGate]],
    ] as [[Int: [Projection]]], [false, true])
  func linearAttention(targets: [Int: [Projection]], branches: Bool) {
    let model = TinyDecoder(.qwen3_5)
    let adapter = LoRA<Double>(LoRAConfiguration(rank: 2, alpha: 3, targets: targets), text: model.text, vision: nil)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let input = model.input(branches: branches)
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients, fourthOrder: true, step: 1e-4) {
      model.loss(input, adapter)
    }
    #expect(error < 1e-8)
    for tensor in adapter.layout.tensors {
      #expect(adapter.gradients.values[tensor.range].contains { $0 != 0 }, "\(tensor.name) has a gradient")
    }
    let expected = adapter.gradients.values
    adapter.resetGradients()
    model.backward(input, adapter, activationBytes: 0)
    #expect(adapter.gradients.values == expected, "what is not saved is recomputed to the same bits")
  }

  /// What a dropout leaves out is a function of each token's key: the same in backward, and in a pass over branches.
  @Test(arguments: [false, true]) func dropout(branches: Bool) {
    let adapter = adapter([0: Self.whole, 1: [.value, .down], 2: Self.whole])
    var input = model.input(branches: branches)
    input.dropout = TokenDropout(rate: 0.4, keys: (0..<14).map { UInt64($0) * 7 + 1 })
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients, fourthOrder: true, step: 1e-4) {
      model.loss(input, adapter)
    }
    #expect(error < 1e-8)
    let (expected, loss) = (adapter.gradients.values, model.loss(input, adapter))
    adapter.resetGradients()
    model.backward(input, adapter, activationBytes: 0)
    #expect(adapter.gradients.values == expected)
    input.dropout = TokenDropout(rate: 0.4, keys: (0..<14).map { UInt64($0) * 7 + 2 })
    #expect(abs(model.loss(input, adapter) - loss) > 1e-4)
    input.dropout = TokenDropout(rate: 0, keys: Array(repeating: 0, count: 14))
    let without = model.loss(input, adapter)
    input.dropout = nil
    #expect(model.loss(input, adapter) == without)
  }

  /// Of many numbers the stated share is left out, and the mean stays.
  @Test func dropoutRate() {
    let x = Matrix<Double>(Array(repeating: 1, count: 100 * 1001), rows: 100, columns: 1001)
    let dropout = TokenDropout(rate: 0.2, keys: (0..<100).map { UInt64($0) })
    dropout.apply(inPlace: x, rows: 0..<100, stream: 3)
    let values = x.values
    #expect(Set(values) == [0, 1 / (1 - 0.2)])
    #expect(abs(Double(values.count { $0 == 0 }) / Double(values.count) - 0.2) < 0.005)
    // Each column and each token has a share of its own.
    #expect((0..<1001).allSatisfy { j in (5...40).contains((0..<100).count { x.row($0)[j] == 0 }) })
  }

  /// Text trains too.
  @Test func textOnly() {
    let adapter = adapter([0: Self.whole, 2: [.value]])
    var input = model.input(branches: false)
    input.visual = []
    #expect(abs(model.loss(input, adapter) - model.loss(input, nil)) > 1e-3)
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients) { model.loss(input, adapter) }
    #expect(error < 1e-8)
  }

  /// Activations that are not saved are recomputed to the same bits; one layer's fit, or none.
  @Test(arguments: [0, 6000, 12_000]) func recomputedActivations(activationBytes: Int) {
    let adapter = adapter([0: Self.whole, 1: [.query, .output, .down], 2: [.key, .value]])
    let input = model.input(branches: true)
    model.backward(input, adapter)
    let expected = adapter.gradients.values
    adapter.resetGradients()
    model.backward(input, adapter, activationBytes: activationBytes)
    #expect(adapter.gradients.values == expected && expected.contains { $0 != 0 })
  }

  /// Branches after a shared prefix: the sum of the sequences alone.
  @Test func branchesAreSequences() {
    let adapter = adapter([0: Self.whole, 1: Self.whole])
    let whole = model.input(branches: true)
    func gradients(_ input: DecoderInput<Double>, _ outputs: [Int], _ targets: [Int32]) -> [Double] {
      adapter.resetGradients()
      let pass = model.decoder.forwardSavingActivations(input, outputPositions: outputs, adapter: adapter)
      let (_, dHidden) = model.head.lossAndGradient(pass.hidden, targets: targets)
      model.decoder.backward(dHidden, pass: pass, adapter: adapter)
      return adapter.gradients.values
    }
    func sequence(_ tokens: [Int]) -> DecoderInput<Double> {
      DecoderInput(
        embeddings: whole.embeddings.gathering(tokens),
        positions: whole.positions.map { axis in tokens.map { axis[$0] } },
        visual: whole.visual)
    }
    let together = gradients(whole, [10, 11, 13], [12, 7, 5])
    let first = gradients(sequence(Array(0..<12)), [10, 11], [12, 7])
    let second = gradients(sequence(Array(0..<10) + [12, 13]), [11], [5])
    let largest = together.map(abs).max() ?? 0
    #expect(largest > 0)
    for (i, value) in together.enumerated() { #expect(abs(value - first[i] - second[i]) <= 1e-12 * largest) }
  }

  /// PEFT's start: B is 0, so the model is the base; A fills +-1 / sqrt(in) and differs from tensor to tensor.
  @Test func start() {
    let adapter = LoRA<Double>(
      LoRAConfiguration(rank: 8, alpha: 16, targets: [0: Self.whole, 2: [.value]]), text: model.text, vision: nil)
    adapter.initialize(seed: 3)
    let values = adapter.parameters.values
    var seen = Set<Double>()
    for tensor in adapter.layout.tensors {
      if tensor.name.hasSuffix("B") {
        #expect(values[tensor.range].allSatisfy { $0 == 0 })
        continue
      }
      let bound = 1 / Double(tensor.shape[1]).squareRoot()
      let largest = values[tensor.range].map(abs).max() ?? 0
      #expect(largest <= bound && largest > 0.9 * bound)
      let mean = values[tensor.range].reduce(0, +) / Double(tensor.range.count)
      #expect(abs(mean) < 0.2 * bound)
      #expect(seen.insert(values[tensor.range.lowerBound]).inserted)
    }
    let input = model.input(branches: true)
    #expect(model.loss(input, adapter) == model.loss(input, nil))
  }
}
