// Positions along time, height and width: `get_rope_index` of transformers' `Qwen2_5_VLModel` and `Qwen3VLModel`, which
// agree for text and still images.
import HuggingFace

/// Where each token of a sequence stands.
package struct MRoPEPositions: Sendable, Equatable {
  /// `[3, T]`: temporal, height and width position of each token.
  package var positions: [[Int32]]
  /// The position of the token that would follow.
  package var next: Int32
  /// `mrope_position_deltas` of transformers: `next - T`.
  package var delta: Int32
}

/// Positions of a sequence whose images are runs of `imageTokenID`, one run an image, in the order of `grids`.
///
/// Text counts on in all three axes; an image's tokens count its rows and columns from where the text stopped, and the
/// text after it continues after the longer of them. Throws `PreprocessingError.imageTokens` where the runs do not have
/// the grids' lengths: also where two images touch, which would be one run.
package func mropePositions(
  inputIDs: [Int32], imageTokenID: Int32, grids: [GridTHW], mergeSize: Int
) throws(PreprocessingError) -> MRoPEPositions {
  precondition(mergeSize > 0, "a visual token merges at least one patch")
  var axes = [[Int32]](repeating: [], count: 3)
  for axis in axes.indices { axes[axis].reserveCapacity(inputIDs.count) }
  var remaining = grids[...]
  var (index, next): (Int, Int32) = (0, 0)
  while index < inputIDs.count {
    guard inputIDs[index] == imageTokenID else {
      for axis in axes.indices { axes[axis].append(next) }
      (index, next) = (index + 1, next + 1)
      continue
    }
    let run = inputIDs[index...].prefix { $0 == imageTokenID }.count
    guard let grid = remaining.popFirst() else {
      throw .imageTokens(reason: "run \(grids.count + 1) at token \(index), but \(grids.count) images")
    }
    let (rows, columns) = (grid.h / mergeSize, grid.w / mergeSize)
    guard grid.t > 0, rows > 0, columns > 0, run == grid.t * rows * columns else {
      throw .imageTokens(
        reason: "\(run) at token \(index), but image \(grids.count - remaining.count) has "
          + "\(grid.tokens(mergeSize: mergeSize))")
    }
    for t in 0..<grid.t {
      for row in 0..<rows {
        for column in 0..<columns {
          axes[0].append(next + Int32(t))
          axes[1].append(next + Int32(row))
          axes[2].append(next + Int32(column))
        }
      }
    }
    (index, next) = (index + run, next + Int32(max(rows, columns)))
  }
  guard remaining.isEmpty else {
    throw .imageTokens(reason: "\(grids.count - remaining.count) runs for \(grids.count) images")
  }
  // Not `next`: a grid with more frames than rows and columns reaches further.
  let end = (axes.lazy.compactMap { $0.max() }.max() ?? -1) + 1
  return MRoPEPositions(positions: axes, next: end, delta: end - Int32(inputIDs.count))
}
