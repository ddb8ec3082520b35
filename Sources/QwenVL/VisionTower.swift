// The frozen vision tower: patches of one image to visual tokens.
import HuggingFace
import Layers
import Tensors

/// The vision tower of all families (transformers `Qwen2VisionTransformerPretrainedModel`,
/// `Qwen2_5_VisionTransformerPretrainedModel`, `Qwen3VLVisionModel`, `Qwen3_5VisionModel`).
package struct VisionTower<Element: Scalar>: Sendable {
  /// Not in config.json: the tower's norms are fixed at this.
  static var normEpsilon: Double { 1e-6 }
  /// Base of the tower's rotary frequencies, fixed too.
  static var ropeTheta: Double { 10_000 }

  let configuration: VisionConfiguration
  let patchEmbedding: Linear<Element>
  let positionEmbedding: PositionEmbedding<Element>?
  let blocks: [VisionBlock<Element>]
  /// The last block's, then those of `deepstackBlocks`.
  let mergers: [PatchMerger<Element>]
  /// Rotary frequencies of a patch's row and column, half of a head's pairs each.
  let frequencies: [Element]

  init(_ weights: Weights<Element>) throws {
    configuration = weights.configuration.vision
    patchEmbedding = try weights.patchEmbedding()
    positionEmbedding = try weights.positionEmbedding()
    blocks = try (0..<configuration.depth).map { try weights.visionBlock($0) }
    mergers =
      [try weights.merger()] + (try configuration.deepstackBlocks.indices.map { try weights.merger(deepstack: $0) })
    frequencies = Rotary.inverseFrequencies(theta: Self.ropeTheta, dimension: configuration.headDimension / 2)
  }

  /// Features of one image: of each visual token its embedding in the decoder, then what deepstack adds after the first
  /// layers.   patches [P, numbers of a patch] -> [P / merge^2, featureColumns]
  package func forward(patches: Matrix<Element>, grid: GridTHW) -> Matrix<Element> {
    precondition(patches.rows == grid.patches && patches.columns == configuration.patchNumbers)
    let unit = configuration.spatialMergeSize * configuration.spatialMergeSize
    let geometry = VisionGeometry(grid: grid, configuration: configuration)
    let rotary = Rotary(
      positions: geometry.positions,
      axes: frequencies.map { _ in 0 } + frequencies.map { _ in 1 }, frequencies: frequencies + frequencies)
    let windowed = AttentionPattern.blocks(geometry.windows)
    let full = AttentionPattern.blocks(geometry.frames)

    let x = patchEmbedding.forward(patches).gathering(geometry.patchOrder(unit: unit))  // [P, H]
    positionEmbedding?.add(to: x, positions: geometry.positions, grid: grid)
    let features = Matrix<Element>(uninitialized: geometry.unitOrder.count, configuration.featureColumns)
    func merge(by level: Int) {
      let merged = mergers[level].forward(x)
      let columns = features.columns(level * merged.columns..<(level + 1) * merged.columns)
      for (place, token) in geometry.unitOrder.enumerated() {
        columns.rows(token..<token + 1).assign(merged.rows(place..<place + 1))
      }
    }
    for (index, block) in blocks.enumerated() {
      let pattern = configuration.fullAttentionBlocks.contains(index) ? full : windowed
      block.forward(inPlace: x, rotary: rotary, pattern: pattern)
      if let level = configuration.deepstackBlocks.firstIndex(of: index) { merge(by: level + 1) }
    }
    merge(by: 0)
    return features
  }
}
