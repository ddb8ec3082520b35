import GradientCheck
import Layers
import Tensors
import Testing

@testable import Adapters
@testable import HuggingFace
@testable import QwenVL

/// A vision tower of a few numbers in double precision before a `TinyDecoder`, whose first image it sees.
struct TinyTower {
  let vision: VisionConfiguration
  let decoder: TinyDecoder
  private let tower: VisionTower<Double>
  private let patches: Matrix<Double>
  private let grid = GridTHW(t: 1, h: 4, w: 4)

  init(_ family: ModelConfiguration.Family) {
    decoder = TinyDecoder(family)
    var v = VisionConfiguration(defaultsOf: family)
    (v.depth, v.hiddenSize, v.intermediateSize, v.heads, v.outHiddenSize) = (3, 8, 6, 2, 8)
    (v.inChannels, v.temporalPatchSize, v.patchSize, v.spatialMergeSize) = (1, 1, 2, 2)
    v.positionEmbeddings = nil
    // Windows of a token each, but in the second block.
    if v.windowSize != nil {
      (v.windowSize, v.fullAttentionBlocks) = (4, [1])
    } else {
      v.fullAttentionBlocks = [0, 1, 2]
    }
    v.deepstackBlocks = family == .qwen3_vl ? [0, 1, 2] : []
    vision = v
    var numbers = TestNumbers(seed: 11)
    func linear(_ out: Int, _ columns: Int) -> Linear<Double> {
      Linear(weight: StoredMatrix(numbers.tensor([out, columns], scale: 0.7)), bias: numbers.tensor([out]))
    }
    func norm(_ width: Int) -> any Norm<Double> {
      v.norm == .rms
        ? RMSNorm<Double>(weight: numbers.tensor([width]), epsilon: 0.01)
        : LayerNorm<Double>(weight: numbers.tensor([width]), bias: numbers.tensor([width]), epsilon: 0.01)
    }
    func mlp() -> any VisionMLP<Double> {
      func plain(_ activation: GELU) -> PlainMLP<Double> {
        PlainMLP(first: linear(6, 8), activation: activation, second: linear(8, 6))
      }
      switch v.mlp {
      case .gatedSiLU:
        return GatedMLP(gate: linear(6, 8), up: linear(6, 8), down: linear(8, 6))
      case .tanhGELU: return plain(.tanh)
      case .exactGELU: return plain(.exact)
      case .quickGELU: return plain(.quick)
      }
    }
    func merger(normed: Int) -> PatchMerger<Double> {
      PatchMerger(
        norm: norm(normed), mlp: PlainMLP(first: linear(32, 32), activation: .exact, second: linear(8, 32)))
    }
    tower = VisionTower(
      configuration: v, patchEmbedding: linear(8, v.patchNumbers), positionEmbedding: nil,
      blocks: (0..<3).map { _ in
        VisionBlock(
          norm1: norm(8), queryKeyValue: linear(24, 8), attention: Attention(heads: 2, kvHeads: 2, headDimension: 4),
          projection: linear(8, 8), norm2: norm(8), mlp: mlp())
      }, mergers: [merger(normed: 8)] + v.deepstackBlocks.map { _ in merger(normed: 32) })
    patches = numbers.matrix(16, v.patchNumbers)
  }

  private func input(_ features: Matrix<Double>, _ dropout: TokenDropout?) -> DecoderInput<Double> {
    var input = decoder.input(branches: true)
    input.embeddings.rows(input.visual[0].tokens).assign(features.columns(0..<8))
    input.visual[0].features = features
    input.dropout = dropout
    return input
  }

  func loss(_ adapter: LoRA<Double>, _ dropout: (patches: TokenDropout, tokens: TokenDropout)?) -> Double {
    let features =
      adapter.tower.map {
        tower.forwardSavingActivations(patches: patches, grid: grid, adapter: $0, dropout: dropout?.patches).features
      } ?? tower.forward(patches: patches, grid: grid)
    return decoder.loss(input(features, dropout?.tokens), adapter)
  }

  func backward(
    _ adapter: LoRA<Double>, _ dropout: (patches: TokenDropout, tokens: TokenDropout)? = nil, bytes: Int = .max
  ) throws {
    let acting = try #require(adapter.tower)
    let image = tower.forwardSavingActivations(
      patches: patches, grid: grid, adapter: acting, dropout: dropout?.patches, maximumBytes: bytes)
    let gradients = decoder.backward(input(image.features, dropout?.tokens), adapter, activationBytes: bytes)
    #expect(gradients.count == 2)
    tower.backward(gradients[0], pass: image, adapter: acting)
  }

  func adapter(_ targets: [Int: [Projection]], _ modules: [TowerModule]) -> LoRA<Double> {
    let adapter = LoRA<Double>(
      LoRAConfiguration(rank: 1, alpha: 1.5, targets: targets, tower: modules), text: decoder.text, vision: vision)
    var numbers = TestNumbers(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in numbers.next() })
    return adapter
  }
}
