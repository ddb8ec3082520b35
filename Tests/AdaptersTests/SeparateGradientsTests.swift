// Samples that pass forward together, each passed back by itself.
import GradientCheck
import HuggingFace
import Tensors
import Testing

@testable import Adapters
@testable import QwenVL

@Suite("Each sequence's own gradients from one forward pass")
struct SeparateGradientsTests {
  /// What a probe saw.
  private struct Seen {
    let gate, rank1, norms: [Double]

    init(_ probe: InfluenceProbe<Double>) {
      (gate, rank1) = (probe.gateGradient.values, probe.rank1Gradient.values)
      norms = probe.weightGradientNorm2
    }

    var isSomething: Bool { [gate, rank1, norms].allSatisfy { $0.contains { $0 != 0 } } }

    func isNear(_ other: Seen) -> Bool {
      [(gate, other.gate), (rank1, other.rank1), (norms, other.norms)].allSatisfy { a, b in
        let scale = b.map(abs).max() ?? 0
        return zip(a, b).allSatisfy { abs($0 - $1) <= 1e-11 * scale }
      }
    }
  }

  /// Outputs of the two branches, in a pass that begins after `known` tokens.
  private func outputs(_ known: Int) -> [Int] { [10 - known, 11 - known, 13 - known] }

  /// They are those of a backward pass whose other outputs have no gradient: after a prefix and without, with
  /// activations that are saved and recomputed, for heads of both kinds of layers.
  @Test(arguments: DecoderGradientTests.Setting.all.filter(\.branches), ValueHeads.allCases)
  func gradients(setting: DecoderGradientTests.Setting, heads: ValueHeads) {
    let model = setting.model
    guard heads == .attention || setting.family == .qwen3_5 else { return }
    var numbers = TestNumbers(seed: 9)
    let probe = InfluenceProbe<Double>(
      text: model.text, projections: (0..<model.text.layers).map { _ in (0..<8).map { _ in numbers.next() } },
      heads: heads)
    for (known, bytes) in [(0, Int.max), (2, Int.max), (2, 0)] {
      let whole = model.input(branches: true)
      let input = known == 0 ? whole : model.input(branches: true, after: known)
      let prefix = known == 0 ? nil : model.prefixKVCache(of: whole, count: known)
      func pass() -> (Decoder<Double>.Pass, Matrix<Double>) {
        let pass = model.decoder.forwardSavingActivations(
          input, outputPositions: outputs(known), adapter: probe, prefix: prefix, maximumBytes: bytes)
        return (pass, model.head.lossAndGradient(pass.hidden, targets: [12, 7, 5]).dHidden)
      }
      let probes = [probe.fresh, probe.fresh]
      let (together, dHidden) = pass()
      model.decoder.backward(dHidden, pass: together, separately: probes)
      for (index, own) in [0..<2, 2..<3].enumerated() {
        let alone = probe.fresh
        let (pass, dHidden) = pass()
        for row in 0..<3 where !own.contains(row) { dHidden.row(row).update(repeating: 0, count: 8) }
        model.decoder.backward(dHidden, pass: pass, adapter: alone)
        let (found, expected) = (Seen(probes[index]), Seen(alone))
        #expect(expected.isSomething && found.isNear(expected), "branch \(index) after \(known)")
      }
      #expect(!Seen(probes[0]).isNear(Seen(probes[1])))
    }
  }

  /// A probe from a layer on sees there what one of all layers sees, and nothing below.
  @Test(arguments: ModelConfiguration.Family.allCases) func upperLayers(family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    let projections = Array(repeating: Array(repeating: 0.5, count: 8), count: model.text.layers)
    let (whole, upper) = (
      InfluenceProbe<Double>(text: model.text, projections: projections, heads: .both),
      InfluenceProbe<Double>(text: model.text, projections: projections, heads: .both, fromLayer: 1)
    )
    for probe in [whole, upper] { model.backward(model.input(branches: true), probe) }
    #expect(upper.lowestLayer == 1 && upper.fresh.lowestLayer == 1 && upper.capacity == whole.capacity)
    #expect(upper.gateGradient.rows(0..<1).values.allSatisfy { $0 == 0 })
    let rest = 1..<model.text.layers
    #expect(upper.gateGradient.rows(rest).values == whole.gateGradient.rows(rest).values)
    #expect(upper.rank1Gradient.rows(rest).values == whole.rank1Gradient.rows(rest).values)
    let heads = whole.gateGradient.columns
    #expect(upper.weightGradientNorm2 == Array(repeating: 0, count: heads) + whole.weightGradientNorm2.dropFirst(heads))
    #expect(whole.weightGradientNorm2.prefix(heads).contains { $0 > 0 })
  }

  /// A sequence alone is passed back as it always is, to the same bits.
  @Test(arguments: ModelConfiguration.Family.allCases) func oneSequence(family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    let probe = InfluenceProbe<Double>(
      text: model.text, projections: Array(repeating: Array(repeating: 0.5, count: 8), count: model.text.layers))
    let input = model.input(branches: false)
    model.backward(input, probe)
    let found = probe.fresh
    let pass = model.decoder.forwardSavingActivations(
      input, outputPositions: model.outputPositions, adapter: found)
    let (_, dHidden) = model.head.lossAndGradient(pass.hidden, targets: model.targets)
    model.decoder.backward(dHidden, pass: pass, separately: [found])
    #expect(found.gateGradient.values == probe.gateGradient.values)
    #expect(found.weightGradientNorm2 == probe.weightGradientNorm2)
  }

  /// Images of the prefix and of branches; one branch has none of its own, and its loss reaches the prefix's alone.
  @Test func imagesInBranches() {
    let model = TinyDecoder(.qwen2_5_vl)
    var numbers = TestNumbers(seed: 4)
    let projections = (0..<model.text.layers).map { _ in (0..<8).map { _ in numbers.next() } }
    let probe = InfluenceProbe<Double>(text: model.text, projections: projections)
    let embeddings = numbers.matrix(14, 8)
    let positions = Array(repeating: Array(Int32(0)..<14), count: 3)
    let visual = [0..<2, 9..<11].map { VisualSpan(tokens: $0, features: embeddings.rows($0)) }
    func seen(_ kept: [VisualSpan<Double>]) -> [Seen] {
      let input = DecoderInput(
        embeddings: embeddings, positions: positions, visual: kept,
        slots: SequenceSlot.packed(prefix: 4, branches: [4, 6]))
      let probes = [probe.fresh, probe.fresh]
      let pass = model.decoder.forwardSavingActivations(input, outputPositions: [7, 12, 13], adapter: probe)
      let (_, dHidden) = model.head.lossAndGradient(pass.hidden, targets: [12, 7, 5])
      model.decoder.backward(dHidden, pass: pass, separately: probes)
      return probes.map(Seen.init)
    }
    let (both, prefixOnly, branchOnly) = (seen(visual), seen([visual[0]]), seen([visual[1]]))
    #expect(both[0].isNear(prefixOnly[0]) && both[0].isSomething)
    #expect(!branchOnly[0].isSomething && branchOnly[1].isSomething)
    #expect(
      zip(both[1].gate, zip(prefixOnly[1].gate, branchOnly[1].gate)).allSatisfy {
        abs($0 - $1.0 - $1.1) <= 1e-11 * (1 + abs($0))
      })
  }

  @Test func runsAreEven() {
    let input = DecoderInput<Double>(
      embeddings: Matrix(zeros: 100 + 7 * 10, 8),
      positions: Array(repeating: Array(repeating: 0, count: 170), count: 3),
      slots: SequenceSlot.packed(prefix: 100, branches: Array(repeating: 10, count: 7)))
    let model = TinyDecoder(.qwen2_5_vl)
    let pass = model.decoder.forwardSavingActivations(
      input, outputPositions: [],
      adapter: InfluenceProbe<Double>(
        text: model.text, projections: Array(repeating: Array(repeating: 0, count: 8), count: model.text.layers)))
    func runs(_ limit: Int) -> [Range<Int>] { SeparatedTokens.runs(of: pass.tokens, rows: limit) }
    #expect(runs(1000) == [0..<7])
    #expect(runs(500) == [0..<4, 4..<7])
    #expect(runs(1) == (0..<7).map { $0..<$0 + 1 })
  }
}
