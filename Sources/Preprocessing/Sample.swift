// One row as the model sees it, without its pixels.
import HuggingFace

/// Tokens, labels, positions and images' places of one row of T tokens.
public struct Sample: Sendable, Equatable {
  /// The label of a token that takes no part in the loss, as in PyTorch.
  public static let ignoredLabel: Int32 = -100

  /// The row's id.
  public var id: String
  /// Token ids, an image's token repeated for each of its visual tokens.
  public var inputIDs: [Int32]  // [T]
  /// `inputIDs` where supervised, else `ignoredLabel`; not shifted: the row before predicts it.
  public var labels: [Int32]  // [T]
  /// Where each image's tokens are, in the order of the images.
  public var visualSpans: [Range<Int>]
  /// Temporal, height and width positions.
  public var positionIDs: [[Int32]]  // [3, T]
  /// The images' patches.
  public var grids: [GridTHW]
  /// The images' sizes before and after resizing.
  public var frames: [ImageFrame]
  /// The position of the first token that would be generated.
  public var nextPosition: Int32

  /// Tokens that take part in the loss.
  public var supervisedTokens: Int { labels.count { $0 != Self.ignoredLabel } }

  /// Tokens that decide the loss, the first ones: the last supervised token is predicted and not read. All of them
  /// where nothing is supervised.
  public var decisiveTokens: Int { labels.lastIndex { $0 != Self.ignoredLabel } ?? inputIDs.count }

  /// 1 at the images' tokens.
  public var visualMask: [UInt8] {  // [T]
    var mask = [UInt8](repeating: 0, count: inputIDs.count)
    for index in visualSpans.joined() { mask[index] = 1 }
    return mask
  }
}

/// What the model is asked for: a row up to its last answer.
public struct Prompt: Sendable, Equatable {
  /// Ends where the answer would begin; nothing is supervised.
  public var sample: Sample
  /// The answer in the row, its placeholders filled; nil for a row without one.
  public var reference: String?
}
