// Prefix KV caches of the text before the first image: most examples of a job begin with the same system message.
import QwenVL
import Synchronization
import Tensors

/// The prefix KV caches used last. Each is computed in a pass of its own, so that an example's numbers do not depend on
/// which of them are in memory.
package final class PrefixKVCaches: Sendable {
  private struct Entry {
    let ids: [Int32]
    let positions: [[Int32]]
    let cache: PrefixKVCache<Float>
  }

  private static let maximumCount = 8
  /// The latest used last.
  private let entries = Mutex<[Entry]>([])

  /// The cache of a text, by `compute` if it is not in memory.
  func cache(
    _ ids: [Int32], positions: [[Int32]], compute: () -> PrefixKVCache<Float>
  ) -> PrefixKVCache<Float> {
    let known = entries.withLock { entries -> PrefixKVCache<Float>? in
      guard let index = entries.firstIndex(where: { $0.ids == ids && $0.positions == positions }) else { return nil }
      entries.append(entries.remove(at: index))
      return entries.last?.cache
    }
    if let known { return known }
    let computed = compute()
    entries.withLock { entries in
      entries = entries.suffix(Self.maximumCount - 1) + [Entry(ids: ids, positions: positions, cache: computed)]
    }
    return computed
  }
}
