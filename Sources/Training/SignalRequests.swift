// Signals of a batch system: SIGUSR1 asks for a checkpoint; SIGUSR2, SIGTERM and SIGINT for a checkpoint and an end.
import Dispatch
import Glibc
import Synchronization

/// Signals that this process received, noticed between units of work.
public final class SignalRequests: Sendable {
  private final class Flags: Sendable {
    let save = Atomic(false)
    let stop = Atomic(false)
  }

  private let flags: Flags
  /// Dispatch calls the handlers on a queue of its own; sources live as long as this object and are never touched
  /// again.
  private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

  /// Takes the signals over from their default actions.
  public init() {
    let flags = Flags()
    self.flags = flags
    func watch(_ number: Int32, _ handler: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler(handler: handler)
      source.resume()
      return source
    }
    sources = [
      watch(SIGUSR1) { flags.save.store(true, ordering: .relaxed) },
      // mpirun passes SIGUSR2 on and waits; behind SIGTERM it sends SIGKILL a moment later.
      watch(SIGUSR2) { flags.stop.store(true, ordering: .relaxed) },
      watch(SIGTERM) { flags.stop.store(true, ordering: .relaxed) },
      watch(SIGINT) { flags.stop.store(true, ordering: .relaxed) },
    ]
  }

  /// Whether an end was asked for; it stays asked for.
  public var stopRequested: Bool { flags.stop.load(ordering: .relaxed) }

  /// What was asked for since the last call.
  func take() -> Requests {
    Requests(save: flags.save.exchange(false, ordering: .relaxed), stop: stopRequested)
  }
}
