import GradientCheck
import Layers
import Tensors
import TestSupport

@testable import HuggingFace
@testable import QwenVL

/// A decoder of a few numbers in double precision, with a loss over a small vocabulary.
struct TinyDecoder {
  let text: TextConfiguration
  let decoder: Decoder<Double>
  let head: LanguageModelHead<Double>
  /// Layers after which deepstack adds something: none, or in Qwen3-VL all of these few.
  private let levels: Int

  init(_ family: ModelConfiguration.Family = .qwen2_5_vl) {
    var t = TextConfiguration.tiny
    let isLater = [.qwen3_vl, .qwen3_5].contains(family)
    (t.mropeInterleaved, t.qkvBias, t.queryKeyNorm) = (isLater, !isLater, isLater)
    if family == .qwen3_5 {
      // Layers of linear attention between those of full attention, and one as the last.
      t.layerTypes = [
        .fullAttention, .linearAttention, .fullAttention, .linearAttention, .fullAttention, .linearAttention,
      ]
      t.layers = t.layerTypes.count
      (t.rotaryDimension, t.mropeSection, t.outputGate) = (2, [1, 0, 0], true)
      (t.linearAttention.keyHeads, t.linearAttention.valueHeads) = (2, 4)
      (t.linearAttention.keyDimension, t.linearAttention.valueDimension) = (3, 2)
    }
    text = t
    levels = family == .qwen3_vl ? t.layers : 0
    var numbers = TestNumbers(seed: 7)
    func linear(_ out: Int, _ columns: Int, bias: Bool) -> Linear<Double> {
      Linear(
        weight: StoredMatrix(numbers.tensor([out, columns], scale: 0.7)), bias: bias ? numbers.tensor([out]) : nil)
    }
    func norm(_ width: Int = 8) -> RMSNorm<Double> {
      RMSNorm(weight: numbers.tensor([width]), epsilon: t.rmsNormEpsilon)
    }
    func attention() -> AttentionMixer<Double> {
      AttentionMixer(
        queryProjection: linear(t.outputGate ? 32 : 16, 8, bias: t.qkvBias),
        keyProjection: linear(8, 8, bias: t.qkvBias), valueProjection: linear(8, 8, bias: t.qkvBias),
        attention: Attention(heads: 4, kvHeads: 2, headDimension: 4), outputProjection: linear(8, 16, bias: false),
        headNorms: t.queryKeyNorm ? (norm(4), norm(4)) : nil, isGated: t.outputGate)
    }
    func deltaNet() -> GatedDeltaNet<Double> {
      GatedDeltaNet(
        inputProjection: linear(20, 8, bias: false), gateProjection: linear(8, 8, bias: false),
        strengthProjection: linear(4, 8, bias: false), decayProjection: linear(4, 8, bias: false),
        convolution: CausalConvolution(weight: numbers.tensor([20, 1, 4])),
        gates: DeltaGates(logRates: numbers.tensor([4]), bias: numbers.tensor([4])),
        // Sequences are several chunks, and branches begin within one.
        rule: GatedDeltaRule(keyHeads: 2, valueHeads: 4, keyDimension: 3, valueDimension: 2, chunk: 3),
        // Near zero the norm bends more than finite differences follow, unless epsilon is large.
        norm: GatedNorm(weight: numbers.tensor([2]), epsilon: 0.05),
        outputProjection: linear(8, 8, bias: false))
    }
    let layers = (0..<t.layers).map { index in
      DecoderLayer(
        index: index, inputNorm: norm(), mixer: t.isLinear(index) ? .deltaNet(deltaNet()) : .attention(attention()),
        postAttentionNorm: norm(),
        mlp: GatedMLP(
          gate: linear(12, 8, bias: false), up: linear(12, 8, bias: false), down: linear(8, 12, bias: false)))
    }
    decoder = Decoder(configuration: t, layers: layers, norm: norm())
    head = LanguageModelHead(weight: StoredMatrix(numbers.tensor([t.vocabularySize, t.hiddenSize])))
  }

  /// The layer that is the n-th with KV heads, for each of `heads`.
  func atLayers<Value>(_ heads: [Int: Value]) -> [Int: Value] {
    Dictionary(uniqueKeysWithValues: heads.map { (text.attentionLayers[$0], $1) })
  }

  /// Text, an image of four tokens, text, a second image, then two branches of an answer each.
  func input(branches: Bool) -> DecoderInput<Double> {
    var numbers = TestNumbers(seed: 3)
    let embeddings = numbers.matrix(14, text.hiddenSize)
    return DecoderInput(
      embeddings: embeddings,
      positions: [
        [0, 1, 2, 2, 2, 2, 4, 5, 5, 7, 8, 9, 8, 9], [0, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 8, 9],
        [0, 1, 2, 3, 2, 3, 4, 5, 5, 7, 8, 9, 8, 9],
      ],
      visual: [2..<6, 7..<9].map {
        VisualSpan(tokens: $0, features: numbers.matrix($0.count, text.hiddenSize * (1 + levels)))
      },
      slots: Self.slots(branches: branches))
  }

  /// The same without the first `known` tokens, which are text.
  func input(branches: Bool, after known: Int) -> DecoderInput<Double> {
    let whole = input(branches: branches)
    return DecoderInput(
      embeddings: whole.embeddings.rows(known..<14), positions: whole.positions.map { Array($0[known...]) },
      visual: whole.visual.map { $0.moved(back: known) }, slots: Self.slots(branches: branches, known: known))
  }

  /// Keys and values of the first tokens of an input.
  func prefixKVCache(of input: DecoderInput<Double>, count: Int) -> PrefixKVCache<Double> {
    decoder.prefixKVCache(
      input.embeddings.rows(0..<count), positions: input.positions.map { Array($0[..<count]) })
  }

  /// The slots of `input(branches:)`, in a pass that begins after `known` tokens.
  static func slots(branches: Bool, known: Int = 0) -> [SequenceSlot] {
    SequenceSlot.packed(prefix: branches ? 10 : 14, branches: branches ? [2, 2] : [], known: known)
  }

  /// One supervised token before the first image, then the answers' tokens.
  let outputPositions = [1, 9, 10, 11, 13]
  let targets: [Int32] = [3, 0, 12, 7, 5]

  func loss(_ input: DecoderInput<Double>, _ adapter: (any ProjectionAdapter<Double>)?) -> Double {
    let hidden = decoder.forward(input, outputPositions: outputPositions, adapter: adapter)
    return head.loss(hidden, targets: targets).reduce(0) { $0 + $1.nll }
  }

  @discardableResult
  func backward(
    _ input: DecoderInput<Double>, _ adapter: any ProjectionAdapter<Double>, activationBytes: Int = .max
  ) -> [Matrix<Double>] {
    let pass = decoder.forwardSavingActivations(
      input, outputPositions: outputPositions, adapter: adapter, maximumBytes: activationBytes)
    return decoder.backward(
      head.lossAndGradient(pass.hidden, targets: targets).dHidden, pass: pass, adapter: adapter)
  }
}
