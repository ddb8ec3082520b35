// One example as the model sees it, without its pixels.
import Datasets
import HuggingFace

/// Tokens, labels, positions and images' places of one example of T tokens.
package struct Sample: Sendable, Equatable {
  /// The label of a token that takes no part in the loss, as in PyTorch.
  package static let ignoredLabel: Int32 = -100

  /// The example's id.
  package var id: String
  /// Token ids, an image's token repeated for each of its visual tokens.
  package var inputIDs: [Int32]  // [T]
  /// `inputIDs` where supervised, else `ignoredLabel`; not shifted: the token before predicts it.
  package var labels: [Int32]  // [T]
  /// Where each image's tokens are, in the order of the images.
  package var visualSpans: [Range<Int>]
  /// Temporal, height and width positions.
  package var positionIDs: [[Int32]]  // [3, T]
  /// The images' patches.
  package var grids: [GridTHW]
  /// The images' sizes before and after resizing.
  package var frames: [ImageFrame]
  /// The example's boxes, checked, in pixels of the images before resizing.
  package var boxes: [Objects.Box] = []
  /// Images of boxes whose file states an EXIF orientation other than upright.
  package var turned: [Int] = []
  /// The position of the first token that would be generated.
  package var nextPosition: Int32

  /// Tokens that take part in the loss.
  package var supervisedTokens: Int { labels.count { $0 != Self.ignoredLabel } }

  /// How many of the first tokens the loss depends on: the last supervised token is predicted and not read. All tokens
  /// where nothing is supervised.
  package var decisiveTokens: Int { labels.lastIndex { $0 != Self.ignoredLabel } ?? inputIDs.count }

  /// 1 at the images' tokens.
  package var visualMask: [UInt8] {  // [T]
    var mask = [UInt8](repeating: 0, count: inputIDs.count)
    for index in visualSpans.joined() { mask[index] = 1 }
    return mask
  }
}

/// What the model is asked for: an example up to its last answer.
package struct Prompt: Sendable, Equatable {
  /// Ends where the answer would begin; nothing is supervised.
  package var sample: Sample
  /// The answer in the example, its placeholders filled; nil for an example without one.
  /// Without its thoughts, where the template knows thoughts.
  package var reference: String?
  /// Whether the answer calls tools: then `reference` is as the template writes it, to the end of the answer's turn.
  package var callsTools = false
  /// What the template does with thoughts: what follows them is the answer in a text of the model.
  package var thoughts = TemplateThoughts()
}
