// The whole frozen model over a mapped checkpoint.
import HuggingFace
import Tensors

/// A Qwen2.5-VL model; immutable, its weights stay in the mapped file.
public struct QwenVLModel<Element: Scalar>: Sendable {
  public let configuration: ModelConfiguration
  public let vision: VisionTower<Element>
  public let decoder: Decoder<Element>
  public let head: LanguageModelHead<Element>
  private let embedding: StoredMatrix

  /// Takes every tensor of the model from `checkpoint`.
  /// - Throws: `HuggingFaceError` naming a tensor that is missing, has another shape, or belongs to no part of the model.
  public init(configuration: ModelConfiguration, checkpoint: Checkpoint) throws {
    self.configuration = configuration
    let weights = Weights<Element>(checkpoint, configuration)
    embedding = try weights.embedding()
    head = LanguageModelHead(weight: try weights.head(embedding: embedding))
    decoder = try Decoder(weights)
    vision = try VisionTower(weights)
    try checkpoint.refuseUnclaimed()
  }

  /// Embeddings of the ids with the pictures' features at the visual rows, in order.   -> [T, H]
  /// - Precondition: the features' rows are as many as the visual rows.
  public func embed(_ inputIDs: [Int32], visual: [Range<Int>], features: [Matrix<Element>]) -> Matrix<Element> {
    let result: Matrix<Element> = embedding.gathering(inputIDs)
    precondition(visual.count == features.count)
    for (rows, picture) in zip(visual, features) { result.rows(rows).assign(picture) }
    return result
  }
}
