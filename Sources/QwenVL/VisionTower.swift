// The frozen vision tower: patches of one picture to visual tokens.
import HuggingFace
import Layers
import Tensors

/// Qwen2.5-VL's vision tower (transformers `Qwen2_5_VisionTransformerPretrainedModel`).
public struct VisionTower<Element: Scalar>: Sendable {
  /// Not in config.json: the tower's norms are fixed at this.
  static var normEpsilon: Double { 1e-6 }
  /// Base of the tower's rotary frequencies, fixed too.
  static var ropeTheta: Double { 10_000 }

  let configuration: VisionConfiguration
  let patchEmbedding: Linear<Element>
  let blocks: [VisionBlock<Element>]
  let merger: PatchMerger<Element>
  /// Rotary frequencies of a patch's row and column, half of a head's pairs each.
  let frequencies: [Element]

  init(_ weights: Weights<Element>, rotaryFrequencies type: ElementType) throws {
    configuration = weights.configuration.vision
    patchEmbedding = try weights.patchEmbedding()
    blocks = try (0..<configuration.depth).map { try weights.visionBlock($0) }
    merger = try weights.merger()
    frequencies = Rotary.inverseFrequencies(
      theta: Self.ropeTheta, dimension: configuration.headDimension / 2, roundedTo: type)
  }

  /// Features of one picture.   patches [P, 1176] -> [P / merge^2, hidden size of the decoder]
  public func forward(patches: Matrix<Element>, grid: GridTHW) -> Matrix<Element> {
    precondition(patches.rows == grid.patches && patches.columns == configuration.patchNumbers)
    let merge = configuration.spatialMergeSize
    let geometry = VisionGeometry(grid: grid, configuration: configuration)
    let rotary = Rotary(
      positions: geometry.positions,
      axes: frequencies.map { _ in 0 } + frequencies.map { _ in 1 }, frequencies: frequencies + frequencies)
    let windowed = AttentionPattern.blocks(geometry.windows)
    let full = AttentionPattern.blocks(geometry.frames)

    let x = patchEmbedding.forward(patches).gathering(geometry.patchOrder(unit: merge * merge))  // [P, H]
    for (index, block) in blocks.enumerated() {
      let pattern = configuration.fullAttentionBlocks.contains(index) ? full : windowed
      block.forward(inPlace: x, rotary: rotary, pattern: pattern)
    }
    let merged = merger.forward(x)
    var inverse = [Int](repeating: 0, count: merged.rows)
    for (place, unit) in geometry.unitOrder.enumerated() { inverse[unit] = place }
    return merged.gathering(inverse)
  }
}
