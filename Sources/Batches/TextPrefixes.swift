// Keys and values of the text before the first picture: most rows of a job begin with the same system message.
import QwenVL
import Synchronization
import Tensors

/// Keeps the latest few beginnings; computed alone every time, so that a row's numbers do not depend on what is kept.
package final class TextPrefixes: Sendable {
  private struct Prefix {
    let ids: [Int32]
    let positions: [[Int32]]
    let rows: EarlierRows<Float>
  }

  private static let maximumCount = 8
  private let kept = Mutex<[Prefix]>([])

  /// The beginning's keys and values, by `compute` where they are not kept.
  func rows(
    _ ids: [Int32], positions: [[Int32]], compute: () -> EarlierRows<Float>
  ) -> EarlierRows<Float> {
    let known = kept.withLock { kept -> EarlierRows<Float>? in
      guard let index = kept.firstIndex(where: { $0.ids == ids && $0.positions == positions }) else { return nil }
      kept.append(kept.remove(at: index))
      return kept.last?.rows
    }
    if let known { return known }
    let computed = compute()
    kept.withLock { kept in
      kept = kept.suffix(Self.maximumCount - 1) + [Prefix(ids: ids, positions: positions, rows: computed)]
    }
    return computed
  }
}
