// Signals of a batch system: SIGUSR1 asks for a checkpoint, SIGTERM and SIGINT for a checkpoint and an end.
import Dispatch
import Glibc
import Synchronization

/// Signals that this process received, noticed between units of work.
public final class SignalRequests: Sendable {
  private let save = Atomic(false)
  private let stop = Atomic(false)
  private let sources: Mutex<[any DispatchSourceSignal]>

  /// Takes over the signals from their default actions.
  public init() {
    sources = Mutex([])
    watch(SIGUSR1) { $0.save.store(true, ordering: .relaxed) }
    for number in [SIGTERM, SIGINT] { watch(number) { $0.stop.store(true, ordering: .relaxed) } }
  }

  /// Whether an end was asked for and not taken yet.
  public var stopRequested: Bool { stop.load(ordering: .relaxed) }

  /// What was asked for since the last call; a stop stays asked for.
  func take() -> Requests {
    Requests(save: save.exchange(false, ordering: .relaxed), stop: stop.load(ordering: .relaxed))
  }

  private func watch(_ number: Int32, _ handle: @escaping @Sendable (SignalRequests) -> Void) {
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler { [weak self] in if let self { handle(self) } }
    source.resume()
    sources.withLock { $0.append(source) }
  }
}
