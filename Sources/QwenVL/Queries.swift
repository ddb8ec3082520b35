// What every layer gets about the new tokens of a pass, and which of them are its queries.
import Layers
import Tensors

/// The tokens that are queries in a layer: all new ones, or in the last layer only those whose hidden states are
/// wanted.
struct Queries<Element: Scalar>: Sendable {
  /// Ascending positions among the new tokens.
  let positions: [Int]
  let rotary: Rotary<Element>
  let pattern: AttentionPattern
  /// How many new tokens there are.
  private let count: Int

  init(_ positions: [Int], of count: Int, rotary: Rotary<Element>, pattern: AttentionPattern) {
    self.positions = positions
    self.count = count
    self.rotary = positions.count == count ? rotary : rotary.gathering(positions)
    self.pattern = pattern
  }

  /// Whether all new tokens are queries.
  var areAll: Bool { positions.count == count }

  /// Those tokens' rows of x, without a copy where all tokens are queries.
  func select(_ x: Matrix<Element>) -> Matrix<Element> { positions.count == count ? x : x.gathering(positions) }
}

/// The new tokens of a pass, as all layers see them.
struct PassTokens<Element: Scalar> {
  let count: Int
  let rotary: Rotary<Element>
  /// The visual tokens.
  let visual: [Range<Int>]
  let dropout: TokenDropout?
  let past: Past<Element>
  /// Where their keys lie among all.
  let newKeys: [Int]
  /// Which of them continue each other.
  let pieces: [Piece]
  /// The queries of all layers but the last, and of the last.
  let queries, lastQueries: Queries<Element>

  /// - Precondition: the slots have places for keys that `past` has.
  init(_ input: DecoderInput<Element>, outputPositions: [Int], past: Past<Element>, rotary: Rotary<Element>) {
    self.init(
      rotary: rotary, visual: input.visual.map(\.tokens), dropout: input.dropout, past: past,
      newKeys: input.slots.flatMap(\.newKeys), pieces: Piece.pieces(input.slots),
      pattern: .causal(input.slots.map { ($0.shared, $0.own, $0.newTokens) }), outputPositions: outputPositions)
    precondition(past.accepts(newKeys), "slots and past belong together")
  }

  init(
    rotary: Rotary<Element>, visual: [Range<Int>], dropout: TokenDropout?, past: Past<Element>, newKeys: [Int],
    pieces: [Piece], pattern: AttentionPattern, outputPositions: [Int]
  ) {
    count = newKeys.count
    (self.rotary, self.visual, self.dropout, self.past) = (rotary, visual, dropout, past)
    (self.newKeys, self.pieces) = (newKeys, pieces)
    queries = Queries(Array(0..<count), of: count, rotary: rotary, pattern: pattern)
    lastQueries = Queries(outputPositions, of: count, rotary: rotary, pattern: pattern.selecting(outputPositions))
  }
}
