// The weights of a folder as far as a plan needs them.
import Costs
import HuggingFace
import QwenVL
import Tensors

/// Bytes and type of the weights.
struct PlannedWeights: Equatable {
  let bytes: Double
  let type: ElementType
  /// The element types in the checkpoint's headers, or why they are unknown.
  let source: String
  /// The model's shape, with a head where the checkpoint has one of its own.
  let configuration: ModelConfiguration

  /// Reads headers only; where files are missing, two bytes a parameter are assumed.
  /// - Throws: `HuggingFaceError` for a damaged file, and the error with which `train` refuses the weights.
  init(folder: String, _ configuration: ModelConfiguration) throws {
    do {
      let checkpoint = try Checkpoint(folder: folder)
      self.configuration =
        try QwenVLModel<Float>(configuration: configuration, checkpoint: checkpoint).configuration
      bytes = Double(checkpoint.byteCount)
      type = checkpoint.mainElementType.flatMap(ElementType.init) ?? .bfloat16
      source = checkpoint.elementTypes.joined(separator: ", ")
    } catch HuggingFaceError.unreadable {
      self.configuration = configuration
      bytes = 2 * Double(ParameterCounts(configuration).total)
      type = .bfloat16
      source = "assumed BF16: the folder has no complete weights yet"
    }
  }
}
