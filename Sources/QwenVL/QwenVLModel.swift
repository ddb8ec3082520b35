// The whole frozen model over a mapped checkpoint.
import HuggingFace
import Tensors

/// A Qwen2.5-VL or Qwen3-VL model; immutable, its weights stay in the mapped file.
public struct QwenVLModel<Element: Scalar>: Sendable {
  public let configuration: ModelConfiguration
  public let vision: VisionTower<Element>
  public let decoder: Decoder<Element>
  public let head: LanguageModelHead<Element>
  private let embedding: StoredMatrix
  /// Of the products with the weights.
  public let arithmetic: Arithmetic

  /// How a reference rounded its rotary frequencies.
  public enum RotaryFrequencies: String, Sendable, CaseIterable {
    /// Not at all: transformers' `from_pretrained` keeps them in fp32 whatever the weights' type, and so do we.
    case float32
    /// To the type of the weights, as torch's `module.to(dtype)` does with every buffer of a module.
    case asWeights = "as-weights"
  }

  /// Takes every tensor of the model from `checkpoint`.
  /// - Parameter arithmetic: nil for what this processor is best at.
  /// - Throws: `HuggingFaceError` naming a tensor that is missing or has another shape; `UnknownTensors`.
  public init(
    configuration: ModelConfiguration, checkpoint: Checkpoint, arithmetic: Arithmetic? = .float32,
    rotaryFrequencies: RotaryFrequencies = .float32
  ) throws {
    self.configuration = configuration
    let stored: ElementType = checkpoint.elementTypes == [ElementType.bfloat16.rawValue] ? .bfloat16 : .float32
    let arithmetic = arithmetic ?? .automatic(stored: stored)
    self.arithmetic = arithmetic
    let weights = Weights<Element>(checkpoint, configuration, arithmetic)
    embedding = try weights.embedding()
    head = LanguageModelHead(weight: try weights.head(embedding: embedding))
    let type = rotaryFrequencies == .asWeights ? embedding.tensor.type : .float32
    decoder = try Decoder(weights, rotaryFrequencies: type)
    vision = try VisionTower(weights, rotaryFrequencies: type)
    guard checkpoint.unclaimed.isEmpty else {
      throw UnknownTensors(
        checkpoint: checkpoint.source, family: configuration.family.name, names: checkpoint.unclaimed)
    }
  }

  /// Embeddings of the ids with the first `H` columns of the pictures' features at the visual rows, in order.
  /// -> [T, H]
  /// - Precondition: the features' rows are as many as the visual rows.
  public func embed(_ inputIDs: [Int32], visual: [Range<Int>], features: [Matrix<Element>]) -> Matrix<Element> {
    let result: Matrix<Element> = embedding.gathering(inputIDs)
    precondition(visual.count == features.count)
    for (rows, picture) in zip(visual, features) { result.rows(rows).assign(picture.columns(0..<result.columns)) }
    return result
  }
}

/// Tensors of a checkpoint that belong to no part of the model: another family, or an adapter that would be lost.
public struct UnknownTensors: Error, Equatable, CustomStringConvertible {
  /// The folder or file.
  public let checkpoint: String
  /// What the model's own family is called.
  public let family: String
  public let names: [String]
  public var description: String {
    "\(checkpoint): tensors that belong to no part of a \(family) model, \(names.count) of them: "
      + names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", ..." : "")
      + "; merge adapters first, or use a checkpoint of this family"
  }
}
