// The whole frozen model over a mapped checkpoint.
import Files
import HuggingFace
import Tensors

/// A model of one of the families; immutable, its weights stay in the mapped file.
package struct QwenVLModel<Element: Scalar>: Sendable {
  /// `tieWordEmbeddings` is false where the checkpoint has a head of its own, whatever config.json says.
  package let configuration: ModelConfiguration
  /// What of config.json does not hold for these weights, a line each.
  package let notices: [String]
  package let vision: VisionTower<Element>
  package let decoder: Decoder<Element>
  package let head: LanguageModelHead<Element>
  private let embedding: StoredMatrix
  /// The compute precision of matrix multiplications with the weights.
  package let precision: Precision

  /// Takes every tensor of the model from `checkpoint`.
  /// - Parameter precision: nil for the fastest of this processor.
  /// Reads headers, and an lm_head.weight that config.json ties, which it compares with the embedding.
  /// - Throws: `HuggingFaceError` naming a tensor that is missing or has another shape; `UnknownTensors`.
  package init(
    configuration: ModelConfiguration, checkpoint: Checkpoint, precision: Precision? = .float32
  ) throws {
    let stored: ElementType = checkpoint.mainElementType == ElementType.bfloat16.rawValue ? .bfloat16 : .float32
    let precision = precision ?? .automatic(stored: stored)
    self.precision = precision
    let weights = Weights<Element>(checkpoint, configuration, precision)
    embedding = try weights.embedding()
    let (head, isTied) = try weights.head(embedding: embedding)
    self.head = LanguageModelHead(weight: head)
    var found = configuration
    found.text.tieWordEmbeddings = isTied
    self.configuration = found
    notices =
      isTied == configuration.text.tieWordEmbeddings
      ? []
      : [
        "\(checkpoint.source): config.json ties the head to the embedding, but lm_head.weight differs from it: the head is "
          + "used as it is, as in transformers 5; set tie_word_embeddings false in config.json, or remove lm_head.weight"
      ]
    decoder = try Decoder(weights)
    vision = try VisionTower(weights)
    // Heads that predict several tokens at once lie in released folders; nobody needs them to train or to answer.
    let unknown = checkpoint.unclaimed.filter {
      configuration.family != .qwen3_5 || !$0.utf8.starts(with: "mtp.".utf8)
    }
    guard unknown.isEmpty else {
      throw UnknownTensors(checkpoint: checkpoint.source, family: configuration.family.name, names: unknown)
    }
  }

  /// Embeddings of the ids, at visual tokens the first `H` columns of the image's features.   -> [T, H]
  package func embed(_ inputIDs: [Int32], visual: [VisualSpan<Element>] = []) -> Matrix<Element> {
    let result: Matrix<Element> = embedding.gathering(inputIDs)
    for image in visual { result.rows(image.tokens).assign(image.features.columns(0..<result.columns)) }
    return result
  }
}

/// Tensors of a checkpoint that belong to no part of the model: another family, or an adapter that would be lost.
package struct UnknownTensors: Error, Equatable, CustomStringConvertible {
  /// The folder or file.
  package let checkpoint: String
  /// What the model's own family is called.
  package let family: String
  package let names: [String]
  package var description: String {
    oneLine(
      "\(checkpoint): tensors that belong to no part of a \(family) model, \(names.count) of them: "
        + names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", ..." : "")
        + "; merge adapters first, or use a checkpoint of this family")
  }
}
