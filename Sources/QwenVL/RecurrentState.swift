// What a layer of linear attention knows of the tokens before, and which tokens of a pass continue each other.
import Tensors

/// What a sequence leaves behind in a layer of linear attention, instead of keys and values.
struct RecurrentState<Element: Scalar>: Sendable {
  /// Of the delta rule, `[heads dk, dv]`.
  let state: Matrix<Element>
  /// The convolution's input for the last tokens, `[context, 2 K + V]`.
  let rows: Matrix<Element>

  /// The sum with another one, in this one's memory.
  func adding(_ other: RecurrentState) -> RecurrentState {
    state.add(other.state)
    rows.add(other.rows)
    return self
  }
}

/// The new tokens of one sequence in a pass, as a layer sees them that goes through a sequence in order.
struct Piece: Sendable {
  /// What comes before.
  enum Start: Sendable, Equatable {
    case nothing
    /// An earlier piece of this pass: the prefix of a branch.
    case piece(Int)
    /// What an earlier pass left under a key.
    case past(Int)
  }

  let tokens: Range<Int>
  let start: Start
  /// Under what its own end is known to later passes: the sequence's first key.
  let key: Int

  /// The pieces of a pass.
  static func pieces(_ slots: [SequenceSlot]) -> [Piece] {
    var pieces: [Piece] = []
    var first = 0
    for slot in slots {
      let start: Start =
        if slot.own.count > slot.newTokens {
          .past(slot.own.lowerBound)
        } else if let before = slot.shared.last?.lowerBound {
          // A piece without tokens has the key of the one behind it.
          pieces.lastIndex { $0.key == before }.map { .piece($0) } ?? .past(before)
        } else {
          .nothing
        }
      pieces.append(Piece(tokens: first..<first + slot.newTokens, start: start, key: slot.own.lowerBound))
      first += slot.newTokens
    }
    return pieces
  }
}
