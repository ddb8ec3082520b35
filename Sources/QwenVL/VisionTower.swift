// The vision tower: patches of one image to visual tokens. Its weights are frozen; VisionTower+Backward.swift has the
// gradients that an adapter of the tower needs.
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
    let configuration = weights.configuration.vision
    self.init(
      configuration: configuration, patchEmbedding: try weights.patchEmbedding(),
      positionEmbedding: try weights.positionEmbedding(),
      blocks: try (0..<configuration.depth).map { try weights.visionBlock($0) },
      mergers: [try weights.merger()]
        + (try configuration.deepstackBlocks.indices.map { try weights.merger(deepstack: $0) }))
  }

  init(
    configuration: VisionConfiguration, patchEmbedding: Linear<Element>, positionEmbedding: PositionEmbedding<Element>?,
    blocks: [VisionBlock<Element>], mergers: [PatchMerger<Element>]
  ) {
    (self.configuration, self.patchEmbedding) = (configuration, patchEmbedding)
    (self.positionEmbedding, self.blocks, self.mergers) = (positionEmbedding, blocks, mergers)
    frequencies = Rotary.inverseFrequencies(theta: Self.ropeTheta, dimension: configuration.headDimension / 2)
  }

  /// Features of one image: of each visual token its embedding in the decoder, then what deepstack adds after the first
  /// layers.
  /// - Parameters:
  ///   - patches: `[P, numbers of a patch]`.
  ///   - adapter: adds to what modules give; nil: the frozen tower.
  /// - Returns: `[P / merge^2, featureColumns]`.
  package func forward(
    patches: Matrix<Element>, grid: GridTHW, adapter: (any TowerAdapter<Element>)? = nil
  ) -> Matrix<Element> {
    forward(patches: patches, geometry(of: grid), adapter, nil) { _, _, _ in
    } merged: { _, _, _ in
    }
  }

  /// What all blocks need to know of an image.
  struct Geometry {
    let grid: GridTHW
    let places: VisionGeometry
    let rotary: Rotary<Element>
    let windowed, full: AttentionPattern
    /// Patches of a visual token.
    let unit: Int
  }

  func geometry(of grid: GridTHW) -> Geometry {
    let places = VisionGeometry(grid: grid, configuration: configuration)
    return Geometry(
      grid: grid, places: places,
      rotary: Rotary(
        positions: places.positions, axes: frequencies.map { _ in 0 } + frequencies.map { _ in 1 },
        frequencies: frequencies + frequencies),
      windowed: .blocks(places.windows), full: .blocks(places.frames),
      unit: configuration.spatialMergeSize * configuration.spatialMergeSize)
  }

  /// - Parameters:
  ///   - dropout: of the patches in the windowed order.
  ///   - passed: takes each block's input and activations.
  ///   - merged: takes what each level's merger takes, and its activations.
  func forward(
    patches: Matrix<Element>, _ image: Geometry, _ adapter: (any TowerAdapter<Element>)?, _ dropout: TokenDropout?,
    passed: (_ block: Int, _ x: Matrix<Element>, VisionBlock<Element>.SavedActivations) -> Void,
    merged: (_ level: Int, _ x: Matrix<Element>, VisionMLPActivations<Element>) -> Void
  ) -> Matrix<Element> {
    precondition(patches.rows == image.grid.patches && patches.columns == configuration.patchNumbers)
    var x = patchEmbedding.forward(patches).gathering(image.places.patchOrder(unit: image.unit))  // [P, H]
    positionEmbedding?.add(to: x, positions: image.places.positions, grid: image.grid)
    let features = Matrix<Element>(uninitialized: image.places.unitOrder.count, configuration.featureColumns)
    func merge(by level: Int) {
      let part = adapter.map { partAdapter($0, level: level, dropout, unit: image.unit) }
      let (tokens, activations) = mergers[level].forward(x, part)
      merged(level, x, activations)
      let columns = columns(of: level, features)
      for (place, token) in image.places.unitOrder.enumerated() {
        columns.rows(token..<token + 1).assign(tokens.rows(place..<place + 1))
      }
    }
    for (index, block) in blocks.enumerated() {
      let part = adapter.map { PartAdapter(adapter: $0, part: .block(index), dropout: dropout) }
      let (y, saved) = block.forward(x, rotary: image.rotary, pattern: pattern(index, image), part)
      passed(index, x, saved)
      x = y
      if let level = configuration.deepstackBlocks.firstIndex(of: index) { merge(by: level + 1) }
    }
    merge(by: 0)
    return features
  }

  func pattern(_ block: Int, _ image: Geometry) -> AttentionPattern {
    configuration.fullAttentionBlocks.contains(block) ? image.full : image.windowed
  }

  /// The columns of a level: 0 is the embedding's, the others are deepstack's.
  func columns(of level: Int, _ features: Matrix<Element>) -> Matrix<Element> {
    let width = configuration.outHiddenSize
    return features.columns(level * width..<(level + 1) * width)
  }

  /// At a level's merger; its tokens have the keys of their first patches.
  func partAdapter(
    _ adapter: any TowerAdapter<Element>, level: Int, _ dropout: TokenDropout?, unit: Int
  ) -> PartAdapter<Element> {
    PartAdapter(
      adapter: adapter, part: level == 0 ? .merger : .deepstackMerger(level - 1),
      dropout: dropout.map { all in all.gathering(Array(stride(from: 0, to: all.keys.count, by: unit))) })
  }
}
