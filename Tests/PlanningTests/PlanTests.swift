import Adapters
import Batches
import Costs
import Foundation
import QwenVL
import Tensors
import Testing

@testable import HuggingFace
@testable import Planning

/// Qwen2.5-VL-3B-Instruct's config.json in numbers.
private let threeB = ModelConfiguration(
  family: .qwen2_5_vl,
  vision: VisionConfiguration(
    depth: 32, hiddenSize: 1280, intermediateSize: 3420, heads: 16, inChannels: 3, patchSize: 14, temporalPatchSize: 2,
    spatialMergeSize: 2, windowSize: 112, fullAttentionBlocks: [7, 15, 23, 31], outHiddenSize: 2048),
  text: TextConfiguration(
    hiddenSize: 2048, intermediateSize: 11008, layers: 36, attentionHeads: 16, kvHeads: 2, headDimension: 128,
    vocabularySize: 151_936, rmsNormEpsilon: 1e-6, ropeTheta: 1e6, mropeSection: [16, 24, 24],
    tieWordEmbeddings: true, maxPositionEmbeddings: 128_000),
  imageTokenID: 151_655, videoTokenID: 151_656, visionStartTokenID: 151_652, visionEndTokenID: 151_653,
  endTokenIDs: [151_645])

@Suite("A plan's numbers for the 3B shape, worked out from its widths")
struct PlanTests {
  let text = threeB.text
  /// 16 tokens of prompt, 800 of an image of 3200 patches, 154 of a question, 30 of an answer.
  let unit = BatchShape([ExampleShape(tokens: 1000, visual: 800, answers: 30, merge: 2)])

  /// Twice these are the bytes that the released bf16 checkpoints' indices state: 7,509,245,952 and 16,584,333,312.
  @Test func parameters() {
    let counts = ParameterCounts(threeB)
    #expect(counts.total == 3_754_622_976)
    #expect(counts.vision == 668_684_288 && counts.embedding == 151_936 * 2048 && counts.head == 0)
    var sevenB = threeB
    sevenB.vision.outHiddenSize = 3584
    (sevenB.text.hiddenSize, sevenB.text.intermediateSize, sevenB.text.layers) = (3584, 18944, 28)
    (sevenB.text.attentionHeads, sevenB.text.kvHeads) = (28, 4)
    (sevenB.text.vocabularySize, sevenB.text.tieWordEmbeddings) = (152_064, false)
    #expect(ParameterCounts(sevenB).total == 8_292_166_656)
  }

  /// Qwen3.5-0.8B: torchtitan's table states 752 and 101 million. A layer of linear attention has 1024 x (6144 + 2 x
  /// 2048) for qkv, z and out, 2 x 16 x 1025 for decays and strengths, 6144 x 4, and 128; one of full attention 1024 x
  /// (4096 + 2 x 512 + 2048) and 512; each two norms and 3 x 1024 x 3584.
  @Test func qwen35() throws {
    var text = TextConfiguration(
      hiddenSize: 1024, intermediateSize: 3584, layers: 24, attentionHeads: 8, kvHeads: 2, headDimension: 256,
      vocabularySize: 248_320, rmsNormEpsilon: 1e-6, ropeTheta: 1e7, mropeSection: [11, 11, 10],
      tieWordEmbeddings: true, maxPositionEmbeddings: 262_144, mropeInterleaved: true, qkvBias: false,
      queryKeyNorm: true)
    text.layerTypes = (1...24).map { $0.isMultiple(of: 4) ? .fullAttention : .linearAttention }
    (text.outputGate, text.rotaryDimension, text.linearAttention.valueHeads) = (true, 64, 16)
    var model = threeB
    (model.family, model.text, model.vision) = (.qwen3_5, text, VisionConfiguration(defaultsOf: .qwen3_5))
    (model.vision.depth, model.vision.hiddenSize, model.vision.intermediateSize) = (12, 768, 3072)
    (model.vision.heads, model.vision.outHiddenSize) = (12, 1024)
    let counts = ParameterCounts(model)
    let common = 2 * 1024 + 3 * 1024 * 3584
    let linear = 1024 * (6144 + 2 * 2048) + 2 * 16 * 1025 + 6144 * 4 + 128
    #expect(counts.decoder == 24 * common + 18 * linear + 6 * (1024 * (4096 + 2 * 512 + 2048) + 512) + 1024)
    #expect((counts.decoder + counts.embedding) / 1_000_000 == 752 && counts.vision / 1_000_000 == 100)
    #expect(counts.head == 0)
    // Heads lie in every fourth layer alone.
    #expect(text.totalHeads == 12)
    #expect(LayerBudgets.even(3, capacity: text.headCapacity).heads.enumerated().allSatisfy { $1 == 0 || $0 % 4 == 3 })
    #expect(LayerBudgets.fewestLayers(3, capacity: text.headCapacity).heads.suffix(5) == [1, 0, 0, 0, 2])
    // Multiply-adds of a token: 520 million in all layers, less what the answers alone need of the last.
    let work = BatchFLOPs(unit, budgets: .even(3, capacity: text.headCapacity), rank: 8, model)
    let perToken = work.forward / 2 / Double(unit.tokens)
    #expect(perToken > 0.9 * 520e6 && perToken < 1.05 * 520e6, "\(perToken)")
  }

  /// The index of a released Qwen3-VL-8B without a head states 8,144,793,840 parameters. A tower of 576,388,336: 1152 x
  /// (1536 + 1 + 2304) for patches and positions, 27 blocks of 15,239,504, mergers of 40,119,040 and 3 x 40,125,952.
  @Test func qwen3() throws {
    let text = TextConfiguration(
      hiddenSize: 4096, intermediateSize: 12288, layers: 36, attentionHeads: 32, kvHeads: 8, headDimension: 128,
      vocabularySize: 151_936, rmsNormEpsilon: 1e-6, ropeTheta: 5e6, mropeSection: [24, 20, 20],
      tieWordEmbeddings: false, maxPositionEmbeddings: 262_144, mropeInterleaved: true, qkvBias: false,
      queryKeyNorm: true)
    var eightB = threeB
    (eightB.family, eightB.text, eightB.vision) = (.qwen3_vl, text, VisionConfiguration(defaultsOf: .qwen3_vl))
    eightB.vision.outHiddenSize = 4096
    let counts = ParameterCounts(eightB)
    #expect(counts.total - counts.head == 8_144_793_840 && counts.head == 151_936 * 4096)
    #expect(counts.vision == 1152 * 3841 + 27 * 15_239_504 + 40_119_040 + 3 * 40_125_952)
    // Patches of 1536 numbers; 27 blocks of 3200 x (4 x 1152^2 + 2 x 1152 x 4304) that see all 3200 patches; 800 tokens
    // through four times 4608 x 4608 and 4608 x 4096.
    let work = BatchFLOPs(unit, budgets: .even(18, capacity: text.headCapacity), rank: 8, eightB)
    let vision = [5_662_310_400, 27 * 48_719_462_400, 27 * 23_592_960_000, 4 * 32_086_425_600]
    #expect(work.vision == Double(2 * vision.reduce(0, +)))
    // Queries and keys once more: 3 x 1024 and 3 x 4096 + 32 + 4096 + 2 x 12288 values a token.
    let memory = RankMemory(
      unit, adapter: .imageLoRA(.even(36, capacity: text.headCapacity), rank: 8), imageTokens: 800, hiddenStates: 0,
      featureMiB: 256,
      activations: .unbounded,
      eightB)
    let (inner, last) = (1000 * 3072 + 1000 * 40_992, 1000 * 3072 + 30 * 40_992)
    #expect(memory.activations == Double(4 * (36 * 1000 * 4096 + 35 * inner + last)))
    #expect(memory.features == 4 * 800 * 4 * 4096)
  }

  /// Rank 8, 18 of 72 KV heads. A: 2048 x 8 and gamma, a layer; B: 8 x 128 a head.
  @Test func adapter() {
    let (even, fewest) = (
      LayerBudgets.even(18, capacity: text.headCapacity), LayerBudgets.fewestLayers(18, capacity: text.headCapacity)
    )
    #expect(even.selected == 18 && even.layers == 18 && even.lowest == 0)
    #expect(fewest.selected == 18 && fewest.layers == 9 && fewest.lowest == 27)
    #expect(even.parameters(rank: 8, text) == 18 * (16384 + 1) + 18 * 1024)
    #expect(fewest.parameters(rank: 8, text) == 9 * (16384 + 1) + 18 * 1024)
    // q and o: 2048 + 2048, k and v: 2048 + 256, times rank and layers.
    #expect(StandardLoRA.parameters(rank: 8, text) == 36 * 8 * (2 * 4096 + 2 * 2304))
    #expect(even.multiplyAdds(visualTokens: 800, rank: 8, text) == 800 * 18 * (16384 + 1024))
    let payload = AllReducePayload(parameters: even.parameters(rank: 8, text), ranks: 1)
    #expect(payload.gradientBytes == 8 * 313_362 && payload.counterBytes == 88)
    #expect(AllReducePayload(parameters: 1, ranks: 4).count == 12)
    #expect(AllReducePayload(parameters: 1, ranks: 4096).count == 11 + 1024)
    for count in 1...80 {
      #expect(LayerBudgets.even(count, capacity: text.headCapacity).selected == min(count, 72))
      #expect(LayerBudgets.fewestLayers(count, capacity: text.headCapacity).selected == min(count, 72))
    }
  }

  /// All tokens, 4096 + 4096 parameters of q and o and 2304 + 2304 of k and v, times rank and layers; backward from
  /// token 0.
  @Test func standardLoRA() {
    let all = PlannedAdapter.lora(LoRAConfiguration(rank: 8, alpha: 16, everywhere: Projection.attention, text))
    let values = PlannedAdapter.lora(LoRAConfiguration(rank: 8, alpha: 16, everywhere: [.value], text))
    #expect(all.parameters(text) == 36 * 8 * (2 * 4096 + 2 * 2304) && values.parameters(text) == 36 * 8 * 2304)
    #expect(all.multiplyAdds(tokens: 1000, visual: 800, text) == Double(1000 * all.parameters(text)))
    let found = BatchFLOPs(unit, adapter: all, threeB)
    #expect(found.adapter == 2 * 3 * 1000 * Double(all.parameters(text)))
    #expect(found.forward == BatchFLOPs(unit, budgets: .even(18, capacity: text.headCapacity), rank: 8, threeB).forward)
    // The lowest layer: o and MLP 71,827,456 a token, attention over 5 x 500,500 pairs; 34 layers: 77,070,336 a token.
    let pairs = 2048 * 5 * 500_500
    let lowest = 1000 * 71_827_456 + pairs
    let inner = 1000 * 77_070_336 + pairs
    let last = 1000 * 1_048_576 + 30 * 76_021_760 + 2048 * 5 * 30_000
    #expect(found.backward == Double(2 * (lowest + 34 * inner + last)))
    // Values alone: no dp, dq, dk in the lowest layer.
    let short = BatchFLOPs(unit, adapter: values, threeB)
    #expect(found.backward - short.backward == Double(2 * 2048 * 3 * 500_500))
    let words = BatchShape([ExampleShape(tokens: 1000, visual: 0, answers: 30, merge: 2)])
    #expect(BatchFLOPs(words, adapter: all, threeB).backward == found.backward)
  }

  /// Multiply-adds of a layer: k and v 1,048,576 a token; q and o 8,388,608, MLP 67,633,152 a query; attention 2 x 2048
  /// a pair. 35 layers have 1000 queries and 500,500 pairs, the last has 30 queries and 30,000 pairs.
  @Test func forward() {
    let found = BatchFLOPs(unit, budgets: .even(18, capacity: text.headCapacity), rank: 8, threeB)
    #expect(found.forward == 2 * (35 * 79_120_384_000 + 3_452_108_800))
    #expect(found.head == 2 * 2 * 30 * 2048 * 151_936)
    #expect(found.adapter == 2 * 3 * 800 * 18 * (16384 + 1024))
    // Patches 4,816,896,000; 32 blocks of 3200 x (4 x 1280^2 + 3 x 1280 x 3420); 4 blocks see 3200 patches, 28 see 64;
    // 800 tokens through 5120 x 5120 and 5120 x 2048.
    let vision = [4_816_896_000, 2_015_887_360_000, 119_537_664_000, 29_360_128_000]
    #expect(found.vision == Double(2 * vision.reduce(0, +)))
  }

  /// 984 tokens have a gradient. The lowest layer ends at its values: o and MLP 71,827,456 a token, attention over
  /// 500,364 + 484,620 pairs. 34 layers: 77,070,336 a token, attention over 3 x 500,364 + 2 x 484,620 pairs. The last
  /// has 30 queries.
  @Test func backward() {
    let found = BatchFLOPs(unit, budgets: .even(18, capacity: text.headCapacity), rank: 8, threeB)
    #expect(found.backward == 2 * (72_695_463_936 + 34 * 80_896_450_560 + 3_617_685_504))
    // From layer 27: eight layers, 28 to 35, lie above it.
    let short = BatchFLOPs(unit, budgets: .fewestLayers(18, capacity: text.headCapacity), rank: 8, threeB)
    #expect(short.backward == 2 * (72_695_463_936 + 7 * 80_896_450_560 + 3_617_685_504))
    // Only the last layer: 30 queries of o and MLP; 30,000 pairs for scores, 29,520 for the values.
    let top = BatchFLOPs(unit, budgets: .fewestLayers(2, capacity: text.headCapacity), rank: 8, threeB)
    #expect(top.backward == 2 * (30 * 71_827_456 + 2048 * 59_520))
    let words = BatchShape([ExampleShape(tokens: 1000, visual: 0, answers: 30, merge: 2)])
    #expect(BatchFLOPs(words, budgets: .even(18, capacity: text.headCapacity), rank: 8, threeB).backward == 0)
  }

  /// The layers' inputs, 2048 values a token; of the saved activations keys and values a token; q, attention's output,
  /// its statistics, h, gate and up 28,176 a query.
  @Test func memory() {
    let found = RankMemory(
      unit, adapter: .imageLoRA(.even(18, capacity: text.headCapacity), rank: 8), imageTokens: 800, hiddenStates: 0,
      featureMiB: 256,
      activations: .unbounded,
      threeB)
    let (inputs, keysValues) = (36 * 1000 * 2048, 1000 * 2 * 256)
    let (inner, last) = (keysValues + 1000 * 28_176, keysValues + 30 * 28_176)
    #expect(found.activations == Double(4 * (inputs + 35 * inner + last)))
    let bounded = RankMemory(
      unit, adapter: .imageLoRA(.even(18, capacity: text.headCapacity), rank: 8), imageTokens: 800, hiddenStates: 0,
      featureMiB: 256,
      activations: ActivationBudget(bytes: 1 << 20, precision: .float32), threeB)
    #expect(bounded.activations == Double(4 * (inputs + inner) + (1 << 20)))
    #expect(found.features == 4 * 800 * 2048)
    #expect(found.adapter == 313_362 * 36)
    let many = RankMemory(
      unit, adapter: .imageLoRA(.even(18, capacity: text.headCapacity), rank: 8), imageTokens: 1e9, hiddenStates: 1e6,
      featureMiB: 256,
      activations: .unbounded,
      threeB)
    #expect(many.features == 256 * 1024 * 1024 + 1e6)
    // In bf16 attention's output, gate and up take half; so do q, k and v, but those of the last layer's few queries.
    let rounded = RankMemory(
      unit, adapter: .imageLoRA(.even(18, capacity: text.headCapacity), rank: 8), imageTokens: 800, hiddenStates: 0,
      featureMiB: 256,
      activations: ActivationBudget(bytes: .max, precision: .bfloat16), threeB)
    let half = 35 * (keysValues + 1000 * (2 * 2048 + 22_016)) / 2 + 30 * (2048 + 22_016) / 2
    #expect(rounded.activations == found.activations - Double(4 * half))
  }

  /// Two questions on one image: its 816 tokens are computed once, and so are the pairs among them.
  @Test func sharedImages() {
    let example = ExampleShape(tokens: 1000, visual: 800, answers: 30, merge: 2)
    let two = BatchShape([example, example])
    #expect(two.tokens == 2000 - 816 && two.visual == 800 && two.answers == 60 && two.examples == 2)
    #expect(two.pairs == 2 * 500_500 - 816 * 817 / 2)
    #expect(two.latePairs == two.pairs - 136)
    #expect(two.keptPairs == 2 * 484_620 - 800 * 801 / 2)
    let work = StepWork(
      [[two, unit]], ranks: 2, adapter: .imageLoRA(.even(18, capacity: text.headCapacity), rank: 8), rank: 8,
      frozenLayers: 0, activations: .unbounded, threeB)
    let (a, b) = (
      BatchFLOPs(two, budgets: .even(18, capacity: text.headCapacity), rank: 8, threeB).decoding,
      BatchFLOPs(unit, budgets: .even(18, capacity: text.headCapacity), rank: 8, threeB).decoding
    )
    #expect(work.busiest == a && abs(work.example.decoding - (a + b) / 3) < 1)
    #expect(abs(work.idle - (1 - (a + b) / (2 * a))) < 1e-12)
  }

  /// Layers below the adapted ones are computed once, as the vision tower is.
  @Test func frozenLayers() {
    let adapter = PlannedAdapter.imageLoRA(.fewestLayers(2, capacity: text.headCapacity), rank: 8)
    func work(_ frozen: Int) -> StepWork {
      StepWork(
        [[unit]], ranks: 1, adapter: adapter, rank: 8, frozenLayers: frozen, activations: .unbounded, threeB)
    }
    let (all, upper) = (work(0), work(18))
    let frozen = BatchFLOPs.forward(below: 18, unit, text)
    #expect(frozen > 0.4 * all.example.forward)
    #expect(upper.busiest == all.busiest - frozen && upper.busiestOnce == all.busiestOnce + frozen)
    #expect(upper.example == all.example && upper.idle == 0)
  }

  /// Layers whose activations do not fit are computed again, from the lowest up; none beyond the adapter.
  @Test func recomputation() {
    let adapter = PlannedAdapter.imageLoRA(.even(18, capacity: text.headCapacity), rank: 8)
    func again(_ bytes: Int) -> Double {
      BatchFLOPs.recomputed(
        unit, adapter: adapter, activations: ActivationBudget(bytes: bytes, precision: .float32), threeB)
    }
    let forward = BatchFLOPs(unit, adapter: adapter, threeB).forward
    #expect(again(.max) == 0 && abs(again(0) - forward) < 1e-6 * forward)
    // A layer but the last saves the same: half of the memory of all saves half of the layers.
    let layer = 4 * (1000 * 2 * 256 + 1000 * 28_176)
    let half = again(18 * layer)
    #expect(half > 0.45 * forward && half < 0.55 * forward)
    let top = PlannedAdapter.imageLoRA(.fewestLayers(2, capacity: text.headCapacity), rank: 8)
    #expect(
      BatchFLOPs.recomputed(unit, adapter: top, activations: ActivationBudget(bytes: 0, precision: .float32), threeB)
        < 0.04 * forward)
    let work = StepWork(
      [[unit]], ranks: 1, adapter: adapter, rank: 8, frozenLayers: 0,
      activations: ActivationBudget(bytes: 0, precision: .float32), threeB)
    #expect(abs(work.busiest - BatchFLOPs(unit, adapter: adapter, threeB).decoding - forward) < 1e-6 * forward)
  }
}

extension ActivationBudget {
  fileprivate static let unbounded = ActivationBudget(bytes: .max, precision: .float32)
}
