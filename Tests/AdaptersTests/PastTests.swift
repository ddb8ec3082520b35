// A pass after tokens that passed before equals one pass over all tokens.
import GradientCheck
import HuggingFace
import QwenVL
import Tensors
import Testing

@testable import Adapters

@Suite("Tokens that passed before are not recomputed, and every number stays")
struct PastTests {
  typealias Setting = DecoderGradientTests.Setting

  private func adapter(_ model: TinyDecoder) -> ImageLoRA<Double> {
    let adapter = ImageLoRA<Double>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: model.atLayers([0: [0, 1], 2: [1]])),
      text: model.text)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    return adapter
  }

  /// After a prefix whose keys and values are known: the same hidden states and gradients.
  @Test(arguments: Setting.all) func prefixKVCache(setting: Setting) {
    let (model, branches) = (setting.model, setting.branches)
    let adapter = adapter(model)
    let whole = model.input(branches: branches)
    func gradients(
      _ input: DecoderInput<Double>, _ outputs: [Int], after prefix: PrefixKVCache<Double>? = nil
    ) -> (hidden: [Double], adapter: [Double]) {
      adapter.resetGradients()
      let pass = model.decoder.forwardSavingActivations(
        input, outputPositions: outputs, adapter: adapter, prefix: prefix)
      let (_, dHidden) = model.head.lossAndGradient(pass.hidden, targets: [3, 0, 12])
      let hidden = pass.hidden.values
      model.decoder.backward(dHidden, pass: pass, adapter: adapter)
      return (hidden, adapter.gradients.values)
    }
    let expected = gradients(whole, [9, 11, 13])
    let found = gradients(
      model.input(branches: branches, after: 2), [7, 9, 11], after: model.prefixKVCache(of: whole, count: 2))
    for (a, b) in [(found.hidden, expected.hidden), (found.adapter, expected.adapter)] {
      let largest = b.map(abs).max() ?? 0
      #expect(a.count == b.count && largest > 0 && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-12 * largest })
    }
  }

  /// A pass after no past, after a prefix KV cache, into an empty generation cache, and after the keys and values that
  /// an earlier pass left there: the same hidden states.
  @Test(arguments: Setting.all) func past(setting: Setting) {
    let (model, branches) = (setting.model, setting.branches)
    let adapter = adapter(model)
    let (whole, rest) = (model.input(branches: branches), model.input(branches: branches, after: 2))
    func hidden(_ input: DecoderInput<Double>, _ outputs: [Int], _ past: Past<Double>) -> [Double] {
      model.decoder.forward(input, outputPositions: outputs, adapter: adapter, past: past).values
    }
    let expected = hidden(whole, [9, 11, 13], .none)
    let afterPrefix = hidden(rest, [7, 9, 11], .prefix(model.prefixKVCache(of: whole, count: 2)))
    let empty = KeyValueCache<Double>(capacity: 14, configuration: model.text)
    let intoCache = hidden(whole, [9, 11, 13], .cache(empty))
    let filled = KeyValueCache<Double>(capacity: 14, configuration: model.text)
    let first = DecoderInput(
      embeddings: whole.embeddings.rows(0..<2), positions: whole.positions.map { Array($0[..<2]) })
    _ = hidden(first, [], .cache(filled))
    let afterPass = hidden(rest, [7, 9, 11], .cache(filled))
    let largest = expected.map(abs).max() ?? 0
    for (name, found) in [("prefix", afterPrefix), ("empty cache", intoCache), ("cache", afterPass)] {
      #expect(found.count == expected.count)
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-12 * largest }, "\(name)")
    }
    #expect(intoCache == expected, "the same computation, to the same bits")
    #expect(afterPass == afterPrefix, "a prefix KV cache is the cache of the prefix's own pass, to the same bits")
  }

  /// Generation's cache: a prefix and two branches in one pass, then the next token of both branches together, then of
  /// one, are each branch's whole sequence in one pass, wherever in the cache the keys lie.
  @Test(arguments: [0, 5], ModelConfiguration.Family.allCases)
  func cachedTokensEqualOnePass(firstKey: Int, family: ModelConfiguration.Family) {
    let model = TinyDecoder(family)
    let adapter = adapter(model)
    let whole = model.input(branches: true)
    // Tokens 0..<10 are the prefix; 10, 11 and 12, 13 begin the branches; what follows them are the embeddings 0...2.
    let sequences = [Array(0..<12) + [0, 1], Array(0..<10) + [12, 13, 2]]
    func input(_ sequence: [Int]) -> DecoderInput<Double> {
      DecoderInput(
        embeddings: whole.embeddings.gathering(sequence), positions: positions(0..<sequence.count),
        visual: whole.visual)
    }
    func positions(_ range: Range<Int>) -> [[Int32]] {
      whole.positions.map { $0[0..<10] + (10..<20).map { Int32($0) } }.map { Array($0[range]) }
    }
    func forward(_ input: DecoderInput<Double>, _ outputs: [Int], _ past: Past<Double>) -> Matrix<Double> {
      model.decoder.forward(input, outputPositions: outputs, adapter: adapter, past: past)
    }

    let cache = Past.cache(KeyValueCache<Double>(capacity: firstKey + 20, configuration: model.text))
    var packed = whole
    packed.positions = positions(0..<12).map { $0 + $0.suffix(2) }
    packed.slots = SequenceSlot.packed(prefix: 10, branches: [2, 2], from: firstKey, reserving: 2)
    #expect(
      packed.slots.map(\.own) == [0..<10, 10..<12, 14..<16].map { $0.lowerBound + firstKey..<$0.upperBound + firstKey })
    let first = forward(packed, [11, 13], cache)
    let open = packed.slots[1...].map(\.next)
    let second = forward(
      DecoderInput(
        embeddings: whole.embeddings.gathering([0, 2]), positions: positions(12..<13).map { $0 + $0 }, slots: open),
      [0, 1], cache)
    let third = forward(
      DecoderInput(
        embeddings: whole.embeddings.gathering([1]), positions: positions(13..<14), slots: [open[0].next]),
      [0], cache)
    let long = forward(input(sequences[0]), [11, 12, 13], .none)
    let short = forward(input(sequences[1]), [11, 12], .none)
    func isClose(_ a: Matrix<Double>, _ row: Int, _ b: Matrix<Double>, _ other: Int) -> Bool {
      zip(a.rows(row..<row + 1).values, b.rows(other..<other + 1).values).allSatisfy { abs($0 - $1) < 1e-12 }
    }
    #expect(isClose(first, 0, long, 0) && isClose(first, 1, short, 0))
    #expect(isClose(second, 0, long, 1) && isClose(second, 1, short, 1))
    #expect(isClose(third, 0, long, 2))
    #expect(!isClose(second, 0, short, 1))
  }
}
