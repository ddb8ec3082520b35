// Signals of a batch system: SIGUSR1 asks for a checkpoint; SIGUSR2, SIGTERM, SIGINT and SIGHUP for one and an end.
import Dispatch
import Glibc
import Synchronization

/// Signals that this process received, noticed between units of work.
package final class SignalRequests: Sendable {
  private final class Flags: Sendable {
    let save = Atomic(false)
    let stop = Atomic(false)
    /// What is to be said at the first signal that asks for an end.
    let announcement = Mutex<(@Sendable () -> Void)?>(nil)

    func requestStop() {
      guard !stop.exchange(true, ordering: .relaxed) else { return }
      announcement.withLock { $0 }?()
    }
  }

  private let flags: Flags
  /// Dispatch calls the handlers on a queue of its own; sources live as long as this object and are never touched
  /// again.
  private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

  /// Takes signals over from their default actions.
  /// - Parameters:
  ///   - saving: signals that ask for a checkpoint.
  ///   - stopping: signals that ask for a checkpoint and an end. mpirun passes SIGUSR2 on and waits; after SIGTERM it
  ///     sends SIGKILL a moment later. SIGHUP comes from a terminal that closes; where it is ignored already, as
  ///     nohup does, it stays ignored.
  package init(saving: [Int32] = [SIGUSR1], stopping: [Int32] = [SIGUSR2, SIGTERM, SIGINT, SIGHUP]) {
    let flags = Flags()
    self.flags = flags
    func watch(_ number: Int32, _ handler: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler(handler: handler)
      source.resume()
      return source
    }
    sources =
      saving.map { watch($0) { flags.save.store(true, ordering: .relaxed) } }
      + stopping.filter { $0 != SIGHUP || !Self.isIgnored($0) }.map {
        watch($0) { flags.requestStop() }
      }
  }

  /// Whether the process was started with this signal ignored.
  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    // Functions cannot be compared, but SIG_IGN is a number.
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Asks for a checkpoint, as a signal of `saving` does.
  package func requestSave() { flags.save.store(true, ordering: .relaxed) }

  /// Asks for a checkpoint and an end, as a signal of `stopping` does.
  package func requestStop() { flags.requestStop() }

  /// Calls this at the first signal that asks for an end, on the signal's queue.
  package func announceStop(_ announcement: @escaping @Sendable () -> Void) {
    flags.announcement.withLock { $0 = announcement }
  }

  /// Whether an end was asked for; it stays asked for.
  package var stopRequested: Bool { flags.stop.load(ordering: .relaxed) }

  /// What was asked for since the last call.
  func take() -> Requests {
    Requests(save: flags.save.exchange(false, ordering: .relaxed), stop: stopRequested)
  }
}
