// Learned positions of patches: a square grid of embeddings, stretched over each image.
import HuggingFace
import Tensors

/// Bilinear interpolation with corners on corners (transformers `get_vision_interpolation_indices_and_weights` with
/// `align_corners`).
struct PositionEmbedding<Element: Scalar>: Sendable {
  /// `[side^2, H]`, row by row; what exceeds a whole square is not used.
  let table: StoredMatrix
  private let side: Int

  init(table: StoredMatrix) {
    self.table = table
    side = Int(Double(table.rows).squareRoot())
  }

  /// Adds each patch's embedding.   x [P, H]
  /// - Parameter positions: row and column of each patch in its frame, `[2][P]`.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  func add(to x: Matrix<Element>, positions: [[Int32]], grid: GridTHW) {
    let learned: Matrix<Element> = table.gathering((0..<Int32(side * side)).map { $0 })
    let rows = (0..<grid.h).map { taps($0, of: grid.h) }
    let columns = (0..<grid.w).map { taps($0, of: grid.w) }
    for patch in 0..<x.rows {
      let target = x.row(patch)
      let (row, column) = (rows[Int(positions[0][patch])], columns[Int(positions[1][patch])])
      let (a, b) = (row.first * side, row.second * side)
      let corners = (
        learned.row(a + column.first), learned.row(a + column.second), learned.row(b + column.first),
        learned.row(b + column.second)
      )
      let (u, v) = (row.weight, column.weight)
      let weights = ((1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v)
      for j in 0..<x.columns {
        target[j] +=
          weights.0 * corners.0[j] + weights.1 * corners.1[j] + weights.2 * corners.2[j] + weights.3 * corners.3[j]
      }
    }
  }

  /// The two learned places around one of `count` places on an axis, and the weight of the second.
  private func taps(_ index: Int, of count: Int) -> (first: Int, second: Int, weight: Element) {
    let place = Element(index) * Element(side - 1) / Element(max(count - 1, 1))
    let first = min(Int(place), side - 1)
    return (first, min(first + 1, side - 1), place - Element(first))
  }
}
