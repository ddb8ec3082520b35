// Keys and values, or recurrent states, of every layer that outlast a pass: those of a generation, and those of a
// constant prefix.
import HuggingFace
import Tensors

/// Rotated keys and adapted values of tokens that have passed the decoder; a `SequenceSlot` states which of them are a
/// sequence's.
package final class KeyValueCache<Element: Scalar> {
  private let keys, values: [Matrix<Element>]
  /// Of a layer, by a sequence's first key.
  private var states: [[Int: RecurrentState<Element>]]
  /// How many tokens each layer has place for.
  package let capacity: Int

  /// An empty cache for `capacity` tokens.
  package init(capacity: Int, configuration: TextConfiguration) {
    func layers() -> [Matrix<Element>] {
      configuration.headCapacity.map { Matrix(uninitialized: capacity, $0 * configuration.headDimension) }
    }
    (keys, values) = (layers(), layers())
    states = Array(repeating: [:], count: configuration.layers)
    self.capacity = capacity
  }

  /// Takes the keys and values of a layer's new tokens, `[N, kvHeads D]` each, to its rows `places`.
  /// - Returns: all of the layer's, `[capacity, kvHeads D]`; rows that nothing was written to are undefined.
  func adding(
    _ newKeys: Matrix<Element>, _ newValues: Matrix<Element>, at places: [Int], layer: Int
  ) -> (keys: Matrix<Element>, values: Matrix<Element>) {
    for (token, place) in places.enumerated() {
      keys[layer].rows(place..<place + 1).assign(newKeys.rows(token..<token + 1))
      values[layer].rows(place..<place + 1).assign(newValues.rows(token..<token + 1))
    }
    return (keys[layer], values[layer])
  }

  func state(of key: Int, layer: Int) -> RecurrentState<Element>? { states[layer][key] }

  func keep(_ state: RecurrentState<Element>, of key: Int, layer: Int) { states[layer][key] = state }

  /// All keys, values and states as those of a prefix; nothing may be added to the cache afterwards.
  var asPrefix: PrefixKVCache<Element> {
    PrefixKVCache(keys: keys, values: values, states: states.map { $0[0] }, count: capacity)
  }
}

/// Rotated keys and values, or the recurrent state, of a prefix in every layer, computed without an adapter. No adapter
/// of visual tokens reaches text before the first image, so they are the same in every pass.
package struct PrefixKVCache<Element: Scalar>: Sendable {
  fileprivate let keys, values: [Matrix<Element>]
  fileprivate let states: [RecurrentState<Element>?]
  /// How many tokens the prefix has.
  package let count: Int

  /// A layer's keys and values, then those of the new tokens.   newKeys, newValues [N, kvHeads D] -> [count + N,
  /// kvHeads D]
  func followed(
    by newKeys: Matrix<Element>, _ newValues: Matrix<Element>, layer: Int
  ) -> (keys: Matrix<Element>, values: Matrix<Element>) {
    (keys[layer].followed(by: newKeys), values[layer].followed(by: newValues))
  }

  /// - Parameter key: the first key of the sequence: a prefix has one, which begins with key 0.
  func state(of key: Int, layer: Int) -> RecurrentState<Element>? { key == 0 ? states[layer] : nil }
}
