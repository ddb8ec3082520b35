// The gated delta rule in chunks: a state of dk x dv numbers a head that every token decays, corrects and reads.
import Tensors

/// The rule of a Gated DeltaNet (Yang, Kautz, Hatamizadeh 2024; transformers `torch_chunk_gated_delta_rule`).
///
/// For each value head, token by token: S' = e^g S; u = beta (v - S'^T k); S = S' + k u^T; o = S^T q. Queries and keys
/// are normalised, q scaled by dk^-0.5; consecutive value heads share a key head. In chunks it is a handful of matrix
/// multiplications (README.md has the formulas); where chunks begin changes nothing but rounding.
///
/// A row of the input holds all queries, all keys, all values: `[R, 2 K + V]`, K = keyHeads dk, V = valueHeads dv.
package struct GatedDeltaRule<Element: Scalar>: Sendable {
  package let keyHeads, valueHeads, keyDimension, valueDimension: Int
  /// Rows of a chunk.
  package let chunk: Int

  /// Rows of a chunk unless stated: enough for efficient GEMMs and few states to keep, few enough that the triangles
  /// cost little. Measured with `benchmarks delta-rule --chunk`.
  package static var usualChunk: Int { 48 }

  /// - Precondition: `keyHeads` divides `valueHeads`.
  package init(keyHeads: Int, valueHeads: Int, keyDimension: Int, valueDimension: Int, chunk: Int = usualChunk) {
    precondition(valueHeads % keyHeads == 0 && chunk > 0)
    (self.keyHeads, self.valueHeads) = (keyHeads, valueHeads)
    (self.keyDimension, self.valueDimension, self.chunk) = (keyDimension, valueDimension, chunk)
  }

  package var keyColumns: Int { keyHeads * keyDimension }
  package var valueColumns: Int { valueHeads * valueDimension }
  /// Columns of the input.
  package var columns: Int { 2 * keyColumns + valueColumns }

  /// The state before the first token, `[valueHeads dk, dv]`.
  package var emptyState: Matrix<Element> { Matrix(zeros: valueHeads * keyDimension, valueDimension) }

  /// - Parameters:
  ///   - x: queries, keys and values of a piece of a sequence, `[R, 2 K + V]`.
  ///   - g, beta: `DeltaGates`, `[R, valueHeads]`.
  ///   - state: the state before the piece, changed in place to that behind it.
  ///   - o: takes what the rule gives, `[R, V]`.
  /// - Returns: the states at the start of every chunk, for backward.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(
    _ x: Matrix<Element>, g: Matrix<Element>, beta: Matrix<Element>, state: Matrix<Element>, into o: Matrix<Element>
  ) -> [Matrix<Element>] {
    precondition(x.columns == columns && g.rows == x.rows && beta.rows == x.rows)
    precondition(o.rows == x.rows && o.columns == valueColumns)
    var states: [Matrix<Element>] = []
    for rows in chunks(x.rows) {
      let start = Matrix<Element>(uninitialized: state.rows, state.columns)
      start.assign(state)
      states.append(start)
      for keyHead in 0..<keyHeads {
        let keys = KeyHead(self, keyHead, x.rows(rows))
        for head in valueHeads(of: keyHead) {
          let chunk = Chunk(
            keys, v: value(head, x.rows(rows)), g: g.rows(rows), beta: beta.rows(rows), head: head,
            state: ofHead(head, start), hasOutput: true)
          chunk.output(into: ofValueHead(head, o.rows(rows)))
          chunk.advance(ofHead(head, state))
        }
      }
    }
    return states
  }

  /// The pieces' rows that are chunks.
  func chunks(_ rows: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: chunk).map { $0..<min($0 + chunk, rows) }
  }

  func valueHeads(of keyHead: Int) -> Range<Int> {
    let each = valueHeads / keyHeads
    return keyHead * each..<(keyHead + 1) * each
  }

  func query(_ keyHead: Int, _ x: Matrix<Element>) -> Matrix<Element> {
    x.columns(keyHead * keyDimension..<(keyHead + 1) * keyDimension)
  }

  func key(_ keyHead: Int, _ x: Matrix<Element>) -> Matrix<Element> {
    x.columns(keyColumns + keyHead * keyDimension..<keyColumns + (keyHead + 1) * keyDimension)
  }

  func value(_ head: Int, _ x: Matrix<Element>) -> Matrix<Element> {
    x.columns(2 * keyColumns + head * valueDimension..<2 * keyColumns + (head + 1) * valueDimension)
  }

  func ofValueHead(_ head: Int, _ o: Matrix<Element>) -> Matrix<Element> {
    o.columns(head * valueDimension..<(head + 1) * valueDimension)
  }

  func ofHead(_ head: Int, _ state: Matrix<Element>) -> Matrix<Element> {
    state.rows(head * keyDimension..<(head + 1) * keyDimension)
  }
}
