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

    static let all = ModelConfiguration.Family.allCases.flatMap { family in
      [false, true].map { Setting(family: family, branches: $0) }
    }
  }

  /// Every number of A, B and gamma, over plain sequences and branches, with the lowest adapted layer at the bottom, in
  /// the middle, and at the top where only the answers' rows ask.
  @Test(arguments: [[0: [0, 1], 2: [1]], [1: [0], 2: [0, 1]], [2: [1]]] as [[Int: [Int]]], Setting.all)
  func imageLoRA(kvIndices: [Int: [Int]], setting: Setting) {
    let model = setting.model
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: kvIndices),
      text: model.text)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let input = model.input(branches: setting.branches)
    model.backward(input, adapter)
    let error = gradientError(of: adapter.parameters, gradient: adapter.gradients) { model.loss(input, adapter) }
    #expect(error < 1e-8)
  }

  /// Tapes that are not kept are computed again to the same bits; one layer's fits, or none.
  @Test(arguments: [0, 6000, 12_000], ModelConfiguration.Family.allCases)
  func activationsComputedAgain(activationBytes: Int, family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    var numbers = TestNumbers(seed: 5)
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(
        rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: [0: [0], 1: [1], 2: [0, 1]]),
      text: model.text)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let input = model.input(branches: true)
    model.backward(input, adapter)
    let expected = adapter.gradients.values
    adapter.resetGradients()
    model.backward(input, adapter, activationBytes: activationBytes)
    #expect(adapter.gradients.values == expected)
  }

  /// Behind rows that are known already: the same losses and gradients.
  @Test(arguments: Setting.all) func earlierRows(setting: Setting) {
    let (model, branches) = (setting.model, setting.branches)
    var numbers = TestNumbers(seed: 5)
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [0: [0, 1], 2: [1]]), text: model.text)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let whole = model.input(branches: branches)
    func gradients(_ input: DecoderInput<Double>, _ outputRows: [Int]) -> (hidden: [Double], adapter: [Double]) {
      adapter.resetGradients()
      let pass = model.decoder.forward(input, outputRows: outputRows, adapter: adapter, keepTapes: .forBackward())
      let (_, dHidden) = model.head.lossAndGradient(pass.hidden, targets: [3, 0, 12])
      let hidden = pass.hidden.values
      model.decoder.backward(dHidden, pass: pass, adapter: adapter)
      return (hidden, adapter.gradients.values)
    }
    let expected = gradients(whole, [9, 11, 13])
    func positions(_ range: Range<Int>) -> [[Int32]] { whole.positions.map { Array($0[range]) } }
    let later = DecoderInput(
      embeddings: whole.embeddings.rows(2..<14), positions: positions(2..<14), visual: [0..<4, 5..<7],
      features: whole.features, prefix: branches ? 8 : 12, branches: branches ? [8..<10, 10..<12] : [],
      earlier: model.decoder.earlierRows(whole.embeddings.rows(0..<2), positions: positions(0..<2)))
    let found = gradients(later, [7, 9, 11])
    for (a, b) in [(found.hidden, expected.hidden), (found.adapter, expected.adapter)] {
      let largest = b.map(abs).max() ?? 0
      #expect(a.count == b.count && largest > 0 && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-12 * largest })
    }
  }

  /// The gate estimator's gradient is that of v (1 + g), the rank-1 estimator's that of B in v + (x A) B.
  @Test(arguments: Setting.all) func influence(setting: Setting) {
    let model = setting.model
    var numbers = TestNumbers(seed: 9)
    let projections = (0..<3).map { _ in (0..<8).map { _ in numbers.next() } }
    let probe = InfluenceProbe<Double>(text: model.text, projections: projections)
    let input = model.input(branches: setting.branches)
    model.backward(input, probe)
    let gates = GateAdapter(projections: projections)
    #expect(gradientError(of: gates.gate, gradient: probe.gateGradient) { model.loss(input, gates) } < 1e-8)
    #expect(gradientError(of: gates.loraB, gradient: probe.rank1Gradient) { model.loss(input, gates) } < 1e-8)
  }

  /// A row without pictures gives the frozen model's numbers, bit for bit, and no gradient.
  @Test(arguments: ModelConfiguration.Family.allCases) func textOnlyIsTheBase(family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [0: [0, 1], 1: [1]]), text: model.text)
    adapter.load((0..<adapter.layout.count).map { Double($0) })
    var input = model.input(branches: false)
    input.visual = []
    let with = model.decoder.forward(input, outputRows: [3, 13], adapter: adapter, keepTapes: .forBackward())
    let without = model.decoder.forward(input, outputRows: [3, 13], adapter: nil, keepTapes: .none)
    #expect(with.hidden.values == without.hidden.values)
    model.backward(input, adapter)
    #expect(adapter.gradients.values.allSatisfy { $0 == 0 })
  }

  /// Each level is added behind its own layer, also to the few rows that the last layer is asked for, and no level
  /// more.
  @Test func deepstack() {
    let outputs = [1, 5, 8, 13]
    func hidden(_ levels: Int, _ outputRows: [Int]) -> Matrix<Double> {
      let model = TinyDecoder(.qwen3_vl)
      var input = model.input(branches: true)
      input.features = input.features.map { $0.columns(0..<8 * (1 + levels)) }
      return model.decoder.forward(input, outputRows: outputRows, adapter: nil, keepTapes: .none).hidden
    }
    var seen: [[Double]] = []
    for levels in 0...3 {
      let (all, asked) = (hidden(levels, Array(0..<14)), hidden(levels, outputs))
      for (place, row) in outputs.enumerated() {
        for j in 0..<8 { #expect(abs(all.row(row)[j] - asked.row(place)[j]) < 1e-12) }
      }
      seen.append(asked.values)
    }
    #expect(Set(seen).count == 4)
    // Text before the first picture sees none of it.
    #expect(Set(seen.map { $0[0..<8] }).count == 1)
    // The last layer's level reaches the rows of pictures alone, for no layer follows.
    #expect(seen[2][24..<32] == seen[3][24..<32] && seen[2][8..<16] != seen[3][8..<16])
  }

  /// Generation's cache: a prefix and two branches in one pass, then the next row of both branches together, then of
  /// one, are each branch's whole sequence in one pass, wherever in the cache the keys lie.
  @Test(arguments: [0, 5], ModelConfiguration.Family.allCases)
  func cachedRowsEqualOnePass(firstKey: Int, family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [0: [0, 1], 2: [1]]), text: model.text)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    let rows = model.input(branches: true)
    // Rows 0..<10 are the prefix; 10, 11 and 12, 13 the branches' first rows; what follows them are the embeddings
    // 0...2.
    let sequences = [Array(0..<12) + [0, 1], Array(0..<10) + [12, 13, 2]]
    func input(_ sequence: [Int]) -> DecoderInput<Double> {
      DecoderInput(
        embeddings: rows.embeddings.gathering(sequence), positions: positions(0..<sequence.count), visual: rows.visual,
        features: rows.features)
    }
    func positions(_ range: Range<Int>) -> [[Int32]] {
      rows.positions.map { $0[0..<10] + (10..<20).map { Int32($0) } }.map { Array($0[range]) }
    }
    func forward(_ input: DecoderInput<Double>, _ outputs: [Int], _ cache: KeyValueCache<Double>?) -> Matrix<Double> {
      model.decoder.forward(input, outputRows: outputs, adapter: adapter, keepTapes: .none, cache: cache).hidden
    }

    let cache = KeyValueCache<Double>(capacity: firstKey + 20, configuration: model.text)
    var packed = rows
    packed.positions = positions(0..<12).map { $0 + $0.suffix(2) }
    packed.runs =
      DecoderInput(
        embeddings: rows.embeddings, positions: [], visual: [], prefix: 10, branches: [10..<12, 12..<14],
        firstKey: firstKey, room: 2
      ).runs
    #expect(
      packed.runs.map(\.own) == [0..<10, 10..<12, 14..<16].map { $0.lowerBound + firstKey..<$0.upperBound + firstKey })
    let first = forward(packed, [11, 13], cache)
    let open = packed.runs[1...].map(\.next)
    let second = forward(
      DecoderInput(
        embeddings: rows.embeddings.gathering([0, 2]), positions: positions(12..<13).map { $0 + $0 }, visual: [],
        runs: open), [0, 1], cache)
    let third = forward(
      DecoderInput(
        embeddings: rows.embeddings.gathering([1]), positions: positions(13..<14), visual: [], runs: [open[0].next]),
      [0], cache)
    let long = forward(input(sequences[0]), [11, 12, 13], nil)
    let short = forward(input(sequences[1]), [11, 12], nil)
    func isClose(_ a: Matrix<Double>, _ row: Int, _ b: Matrix<Double>, _ other: Int) -> Bool {
      zip(a.rows(row..<row + 1).values, b.rows(other..<other + 1).values).allSatisfy { abs($0 - $1) < 1e-12 }
    }
    #expect(isClose(first, 0, long, 0) && isClose(first, 1, short, 0))
    #expect(isClose(second, 0, long, 1) && isClose(second, 1, short, 1))
    #expect(isClose(third, 0, long, 2))
    #expect(!isClose(second, 0, short, 1))
  }
}

/// Both estimators as trainable numbers in the forward pass, the plain twin of `InfluenceProbe`.
private final class GateAdapter: ProjectionAdapter {
  let gate = Matrix<Double>(zeros: 3, 2)
  let loraB = Matrix<Double>(zeros: 3, 8)
  let projections: [[Double]]
  init(projections: [[Double]]) { self.projections = projections }
  var tokens: AdaptedTokens { .visual }
  var lowestLayer: Int? { 0 }
  func adaptsAtLowestLayer(_ projection: Projection) -> Bool { projection == .value }

  func forward(
    layer: Int, _ projection: Projection, input: Matrix<Double>, output values: Matrix<Double>, rows: [Range<Int>]
  ) {
    guard projection == .value else { return }
    for row in rows.joined() {
      let u = Double.dot(8, input.row(row), projections[layer])
      for j in 0..<8 {
        values.row(row)[j] = values.row(row)[j] * (1 + gate.row(layer)[j / 4]) + u * loraB.row(layer)[j]
      }
    }
  }

  func backward(
    layer: Int, _ projection: Projection, input: Matrix<Double>, values: Matrix<Double>?, dOutput: Matrix<Double>,
    rows: [Range<Int>], dInput: Matrix<Double>?
  ) {}
}
