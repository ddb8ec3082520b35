// The weights of a folder as far as a plan needs them.
import Costs
import HuggingFace
import Tensors

/// Bytes and type of the weights.
struct PlannedWeights: Equatable {
  let bytes: Double
  let type: ElementType
  /// The element types in the checkpoint's headers, or why they are unknown.
  let source: String

  /// Reads headers only; where files are missing, two bytes a parameter are assumed.
  /// - Throws: `HuggingFaceError` for a damaged file.
  init(folder: String, counts: ParameterCounts) throws {
    do {
      let checkpoint = try Checkpoint(folder: folder)
      bytes = Double(checkpoint.byteCount)
      let types = checkpoint.elementTypes
      type = types.count == 1 ? ElementType(rawValue: types[0]) ?? .bfloat16 : .bfloat16
      source = types.joined(separator: ", ")
    } catch HuggingFaceError.unreadable {
      bytes = 2 * Double(counts.total)
      type = .bfloat16
      source = "assumed BF16: the folder has no complete weights yet"
    }
  }
}
