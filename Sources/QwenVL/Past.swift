// What a pass knows of the tokens before it: nothing, a prefix, or a cache that the pass also fills.
import Tensors

/// What a pass of the decoder knows of the tokens before its own.
package enum Past<Element: Scalar> {
  /// Nothing: every sequence begins with its first token.
  case none
  /// Keys and values, and recurrent states, of the first tokens; the keys of the new tokens follow them without gaps.
  case prefix(PrefixKVCache<Element>)
  /// Keys and values of earlier passes; those of the new tokens go where the slots say.
  case cache(KeyValueCache<Element>)

  /// All keys and values that a layer's queries may see.
  /// - Parameters:
  ///   - newKeys, newValues: of the new tokens, `[N, kvHeads D]` each.
  ///   - places: where the new tokens' keys lie among all.
  /// - Returns: `[keys, kvHeads D]` each.
  func joining(
    _ newKeys: Matrix<Element>, _ newValues: Matrix<Element>, at places: [Int], layer: Int
  ) -> (keys: Matrix<Element>, values: Matrix<Element>) {
    switch self {
    case .none: (newKeys, newValues)
    case .prefix(let prefix): prefix.followed(by: newKeys, newValues, layer: layer)
    case .cache(let cache): cache.adding(newKeys, newValues, at: places, layer: layer)
    }
  }

  /// What a sequence left behind in a layer of linear attention.
  /// - Parameter key: the sequence's first key.
  func state(of key: Int, layer: Int) -> RecurrentState<Element> {
    let found: RecurrentState<Element>? =
      switch self {
      case .none: nil
      case .prefix(let prefix): prefix.state(of: key, layer: layer)
      case .cache(let cache): cache.state(of: key, layer: layer)
      }
    guard let found else { preconditionFailure("slots and past belong together") }
    return found
  }

  /// Takes what a sequence leaves behind in a layer of linear attention, if later passes may ask for it.
  func keep(_ state: RecurrentState<Element>, of key: Int, layer: Int) {
    if case .cache(let cache) = self { cache.keep(state, of: key, layer: layer) }
  }

  /// Whether keys and values of new tokens may lie at `places`.
  func accepts(_ places: [Int]) -> Bool {
    switch self {
    case .none: places.elementsEqual(places.indices)
    case .prefix(let prefix): places.elementsEqual(prefix.count..<prefix.count + places.count)
    case .cache(let cache): places.allSatisfy { $0 >= 0 && $0 < cache.capacity }
    }
  }
}
