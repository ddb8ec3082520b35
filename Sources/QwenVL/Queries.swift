// Which of the new rows a layer is asked for: all, or in the last layer only those whose logits are needed.
import Layers
import Tensors

/// The rows that ask in a layer, their rotary tables and what they see.
struct Queries<Element: Scalar>: Sendable {
  /// Ascending rows among the new ones.
  let rows: [Int]
  let rotary: Rotary<Element>
  let pattern: AttentionPattern
  /// How many new rows there are.
  private let count: Int

  init(rows: [Int], of count: Int, rotary: Rotary<Element>, pattern: AttentionPattern) {
    self.rows = rows
    self.count = count
    self.rotary = rows.count == count ? rotary : rotary.gathering(rows)
    self.pattern = pattern
  }

  /// Those rows of x, without a copy where all are asked for.
  func select(_ x: Matrix<Element>) -> Matrix<Element> { rows.count == count ? x : x.gathering(rows) }
}
