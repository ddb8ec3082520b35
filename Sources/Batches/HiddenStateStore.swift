// Hidden states that depend on no adapter: what enters the lowest adapted layer is the same in every step.
import Digests
import Synchronization
import Tensors

/// Caches hidden states as `FeatureStore` caches vision features: the latest used in memory, all of them on disk where
/// there is a cache.
package final class HiddenStateStore: Sendable {
  /// Consecutive tokens of an example that passed the frozen layers together.
  struct Part: Hashable, CachedMatrix {
    /// The layer that the hidden states enter.
    let layer: Int
    /// SHA-256 over the tokens, all before them, and their images.
    let digest: String
    var lines: [String] { ["hidden states \(FeatureCache.schemaVersion)", "layer \(layer)", digest] }
    var attributes: [(name: String, value: String)] { [("layer", "\(layer)"), ("tokens_digest", digest)] }
    var dataset: String { "/hidden_states" }
  }

  /// Tokens whose hidden states were found, and those that passed the frozen layers.
  package struct Tally: Sendable, Equatable {
    package var known = 0
    package var computed = 0
  }

  private struct State {
    var memory: MatrixMemory<Part>
    var tally = Tally()
  }

  private let cache: FeatureCache?
  private let state: Mutex<State>

  init(memoryBytes: Int, cache: FeatureCache?) {
    self.cache = cache
    state = Mutex(State(memory: MatrixMemory(bytes: memoryBytes)))
  }

  /// Tokens so far.
  package var tally: Tally { state.withLock { $0.tally } }

  /// The hidden states of a part, `[rows, columns]`, if they are cached.
  func find(_ part: Part, rows: Int, columns: Int) -> Matrix<Float>? {
    if let known = state.withLock({ $0.memory.find(part) }) { return known }
    guard let found = cache?.read(part, rows: rows, columns: columns) else { return nil }
    state.withLock { $0.memory.keep(found, for: part) }
    return found
  }

  /// Keeps what was computed.
  func keep(_ states: Matrix<Float>, of part: Part) {
    cache?.write(states, of: part)
    state.withLock { $0.memory.keep(states, for: part) }
  }

  func count(known: Int, computed: Int) {
    state.withLock { state in
      state.tally.known += known
      state.tally.computed += computed
    }
  }
}
