// A batch is packed once; which of its tokens pass the decoder is decided by the adapter of each pass.
import Adapters
import Datasets
import Preprocessing
import QwenVL
import Tensors
import RandomNumbers
import Testing
import TinyModels

@testable import Batches

@Suite("One packed batch gives every adapter the numbers of its own way through the decoder")
struct PassTests {
  /// How the batch's samples share.
  enum Kind: CaseIterable { case oneSample, sharedImages, ownImages }

  /// A batch, and the same passes written out with the decoder alone.
  private struct Setup {
    let base: BaseModel
    let batch: PackedBatch
    let prefix: Int
    let branches: [Int]

    init(_ kind: Kind, _ fixture: String) throws {
      let base = try BaseModel(folder: ParityFixture.path(fixture) + "/model")
      let group = GroupedUnitTests()
      let rows =
        [
          group.row("a", "Where is the search button?", "(12, 34)"),
          group.row("b", "How many?", "3", images: kind == .ownImages ? 1..<2 : 0..<1),
        ].prefix(kind == .oneSample ? 1 : 2)
      let samples = try rows.map(try base.sampleBuilder(maxLength: 4096).sample)
      let features = try zip(rows, samples).map { try base.featureStore.features(of: $0, sample: $1) }
      batch =
        kind == .ownImages
        ? PackedBatch(zip(samples, features).map { SampleGroup([$0], features: $1) })
        : PackedBatch(samples, features: features[0])
      let packing = Packing(kind == .ownImages ? samples.map { [$0] } : [samples])
      (self.base, prefix, branches) = (base, packing.prefix, packing.segments.dropFirst().map(\.tokens.count))
    }

    var decoder: Decoder<Float> { base.model.decoder }
    private func positions(_ range: Range<Int>) -> [[Int32]] { batch.positions.map { Array($0[range]) } }

    /// Keys and values of the text before the first image.
    func text(_ count: Int) -> PrefixKVCache<Float> {
      decoder.prefixKVCache(base.model.embed(Array(batch.inputIDs[..<count])), positions: positions(0..<count))
    }

    /// The tokens from `first` on, and their outputs.
    func input(from first: Int) -> (DecoderInput<Float>, outputs: [Int]) {
      let visual = batch.visual.map {
        VisualSpan(tokens: $0.tokens.lowerBound - first..<$0.tokens.upperBound - first, features: $0.features)
      }
      let input = DecoderInput(
        embeddings: base.model.embed(Array(batch.inputIDs[first...]), visual: visual),
        positions: positions(first..<batch.inputIDs.count), visual: visual,
        slots: SequenceSlot.packed(prefix: prefix, branches: branches, known: first))
      return (input, batch.outputPositions.map { $0 - first })
    }

    /// Whether a pass has put the text's keys and values into the base's caches.
    func hasPrefixCache() -> Bool {
      var isComputed = false
      _ = base.prefixKVCaches.cache(
        Array(batch.inputIDs[..<batch.prefixTokens]), positions: positions(0..<batch.prefixTokens)
      ) {
        isComputed = true
        return text(batch.prefixTokens)
      }
      return !isComputed
    }
  }

  private func loaded<A: Adapter<Float>>(_ adapter: A) -> A {
    var source = NormalSource(seed: 1)
    adapter.load((0..<adapter.layout.count).map { _ in Float(source.nextGaussian()) * 0.3 })
    return adapter
  }

  private func lora(_ base: BaseModel) -> LoRA<Float> {
    loaded(
      LoRA<Float>(
        LoRAConfiguration(rank: 2, alpha: 4, targets: [0: Projection.attention, 1: [.query], 3: [.value, .output]]),
        text: base.configuration.text, vision: nil))
  }

  private func imageLoRA(_ base: BaseModel) -> ImageLoRA<Float> {
    loaded(
      ImageLoRA<Float>(
        ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [0: [0, 2], 1: [1], 3: [2]]),
        text: base.configuration.text))
  }

  /// No text comes from a prefix KV cache, whose keys and values the adapter would have changed.
  @Test(arguments: Kind.allCases, ["a", "qwen3-vl"])
  func adapterOfAllTokens(kind: Kind, fixture: String) throws {
    let setup = try Setup(kind, fixture)
    let (base, batch, adapter) = (setup.base, setup.batch, lora(setup.base))
    #expect(batch.prefixTokens > 0)
    let found = base.hidden(batch, adapter: adapter).values
    _ = base.lossAndGradient(batch, adapter: adapter)
    let gradients = adapter.gradients.values
    #expect(!setup.hasPrefixCache())

    let (input, outputs) = setup.input(from: 0)
    #expect(found == setup.decoder.forward(input, outputPositions: outputs, adapter: adapter).values)
    adapter.resetGradients()
    let pass = setup.decoder.forwardSavingActivations(input, outputPositions: outputs, adapter: adapter)
    let (_, dHidden) = base.model.head.lossAndGradient(pass.hidden, targets: batch.targets)
    setup.decoder.backward(dHidden, pass: pass, adapter: adapter)
    #expect(gradients == adapter.gradients.values && gradients.contains { $0 != 0 })
  }

  /// The text before the first image comes from a prefix KV cache, with the adapter and without any.
  @Test(arguments: Kind.allCases, ["a", "qwen3-vl"])
  func adapterOfVisualTokens(kind: Kind, fixture: String) throws {
    let setup = try Setup(kind, fixture)
    let (base, batch, adapter) = (setup.base, setup.batch, imageLoRA(setup.base))
    let found = base.hidden(batch, adapter: adapter).values
    #expect(setup.hasPrefixCache())
    let without = base.hidden(batch, adapter: nil).values
    _ = base.lossAndGradient(batch, adapter: adapter)
    let gradients = adapter.gradients.values

    let prefix = setup.text(batch.prefixTokens)
    let (input, outputs) = setup.input(from: batch.prefixTokens)
    func hidden(_ adapter: ImageLoRA<Float>?) -> [Float] {
      setup.decoder.forward(input, outputPositions: outputs, adapter: adapter, past: .prefix(prefix)).values
    }
    #expect(found == hidden(adapter) && without == hidden(nil) && found != without)
    adapter.resetGradients()
    let pass = setup.decoder.forwardSavingActivations(
      input, outputPositions: outputs, adapter: adapter, prefix: prefix)
    let (_, dHidden) = base.model.head.lossAndGradient(pass.hidden, targets: batch.targets)
    setup.decoder.backward(dHidden, pass: pass, adapter: adapter)
    #expect(gradients == adapter.gradients.values && gradients.contains { $0 != 0 })
  }

  /// On request no pass takes text from a prefix KV cache; the numbers are the same but for rounding.
  @Test(arguments: Kind.allCases) func withoutPrefixCache(kind: Kind) throws {
    let setup = try Setup(kind, "a")
    let (base, adapter) = (setup.base, imageLoRA(setup.base))
    let (input, outputs) = setup.input(from: 0)
    let found = base.hidden(setup.batch.withoutPrefixCache, adapter: adapter).values
    #expect(!setup.hasPrefixCache())
    #expect(found == setup.decoder.forward(input, outputPositions: outputs, adapter: adapter).values)
    let cached = base.hidden(setup.batch, adapter: adapter).values
    let largest = found.map(abs).max() ?? 0
    #expect(zip(found, cached).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
  }

  /// A generation's cache gets the keys and values of all tokens, and reserved capacity changes no bit.
  @Test(arguments: Kind.allCases) func generation(kind: Kind) throws {
    let setup = try Setup(kind, "a")
    let (batch, adapter) = (setup.batch, imageLoRA(setup.base))
    let slots = batch.slots(from: 3, reserving: 2)
    let capacity = (slots.last?.own.upperBound ?? 0) + 2
    #expect(capacity == 3 + batch.inputIDs.count + 2 * batch.sampleCount)
    let cache = KeyValueCache<Float>(capacity: capacity, configuration: setup.base.configuration.text)
    let (input, outputs) = setup.input(from: 0)
    let found = setup.base.hidden(batch, at: outputs, adapter: adapter, slots: slots, cache: cache)
    #expect(!setup.hasPrefixCache())
    #expect(found.values == setup.decoder.forward(input, outputPositions: outputs, adapter: adapter).values)
  }
}
