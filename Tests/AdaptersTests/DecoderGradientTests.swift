import GradientCheck
import HuggingFace
import QwenVL
import Tensors
import Testing

@testable import Adapters

@Suite("Gradients through the whole decoder agree with finite differences in double precision")
struct DecoderGradientTests {
  let model = TinyDecoder()

  /// Every number of A, B and gamma, over plain sequences and branches, with the lowest adapted layer at the bottom, in
  /// the middle, and at the top where only the answers' rows ask.
  @Test(arguments: [[0: [0, 1], 2: [1]], [1: [0], 2: [0, 1]], [2: [1]]] as [[Int: [Int]]], [false, true])
  func imageLoRA(kvIndices: [Int: [Int]], branches: Bool) {
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: kvIndices),
      text: model.text)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let input = model.input(branches: branches)
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients) { model.loss(input, adapter) }
    #expect(error < 1e-8)
  }

  /// The gate estimator's gradient is that of v (1 + g), the rank-1 estimator's that of B in v + (x A) B.
  @Test(arguments: [false, true]) func influence(branches: Bool) {
    var numbers = TestNumbers(seed: 9)
    let projections = (0..<3).map { _ in (0..<8).map { _ in numbers.next() } }
    let probe = InfluenceProbe<Double>(text: model.text, projections: projections)
    let input = model.input(branches: branches)
    model.backward(input, probe)
    let gates = GateAdapter(projections: projections)
    #expect(gradientError(of: gates.gate, gradient: probe.gateGradient) { model.loss(input, gates) } < 1e-8)
    #expect(gradientError(of: gates.loraB, gradient: probe.rank1Gradient) { model.loss(input, gates) } < 1e-8)
  }

  /// A row without pictures gives the frozen model's numbers, bit for bit, and no gradient.
  @Test func textOnlyIsTheBase() {
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [0: [0, 1], 1: [1]]), text: model.text)
    adapter.load((0..<adapter.layout.count).map { Double($0) })
    var input = model.input(branches: false)
    input.visual = []
    let with = model.decoder.forward(input, outputRows: [3, 13], adapter: adapter, keepTapes: .forBackward)
    let without = model.decoder.forward(input, outputRows: [3, 13], adapter: nil, keepTapes: .none)
    #expect(with.hidden.values == without.hidden.values)
    model.backward(input, adapter)
    #expect(adapter.gradients.values.allSatisfy { $0 == 0 })
  }

  /// Generation's cache: rows in two passes give the numbers of one pass.
  @Test func cachedRowsEqualOnePass() {
    let input = model.input(branches: false)
    let whole = model.decoder.forward(input, outputRows: [13], adapter: nil, keepTapes: .none)
    let cache = KeyValueCache<Double>(capacity: 14, configuration: model.text)
    func part(_ rows: Range<Int>, _ outputs: [Int]) -> Matrix<Double> {
      let slice = DecoderInput(
        embeddings: input.embeddings.rows(rows), positions: input.positions.map { Array($0[rows]) },
        visual: rows.lowerBound == 0 ? input.visual : [])
      return model.decoder.forward(slice, outputRows: outputs, adapter: nil, keepTapes: .none, cache: cache).hidden
    }
    _ = part(0..<12, [11])
    _ = part(12..<13, [0])
    let last = part(13..<14, [0])
    for (a, b) in zip(last.values, whole.hidden.values) { #expect(abs(a - b) < 1e-13) }
  }
}

/// Both estimators as trainable numbers in the forward pass, the plain twin of `InfluenceProbe`.
private final class GateAdapter: ValueAdapter {
  let gate = Matrix<Double>(zeros: 3, 2)
  let loraB = Matrix<Double>(zeros: 3, 8)
  let projections: [[Double]]
  init(projections: [[Double]]) { self.projections = projections }
  var lowestLayer: Int? { 0 }

  func forward(layer: Int, input: Matrix<Double>, values: Matrix<Double>, visual: [Range<Int>]) {
    for row in visual.joined() {
      let u = Double.dot(8, input.row(row), projections[layer])
      for j in 0..<8 {
        values.row(row)[j] = values.row(row)[j] * (1 + gate.row(layer)[j / 4]) + u * loraB.row(layer)[j]
      }
    }
  }

  func backward(
    layer: Int, input: Matrix<Double>, values: Matrix<Double>, dValues: Matrix<Double>, visual: [Range<Int>],
    dInput: Matrix<Double>?
  ) {}
}
