// What a rank is working on, and a report when it stalls, since the other ranks wait for it.
import Foundation
import Synchronization

/// A description of a rank's present work. A separate thread watches it, so that a stall is reported even while the
/// rank hangs in a read. Ranks do not communicate for it.
package final class Watchdog: Sendable {
  private struct Work {
    let what: String
    let since = ContinuousClock.now
    /// Multiples of the stall timeout that were reported.
    var reports = 0
  }

  private let present = Mutex<Work?>(nil)

  package init() {}

  /// Runs `body` as the work that `what` names; after it the outer work continues.
  package func during<Result>(_ what: String, _ body: () throws -> Result) rethrows -> Result {
    let around = present.withLock { present in
      defer { present = Work(what: what) }
      return present
    }
    defer { present.withLock { $0 = around } }
    return try body()
  }

  /// Starts to report work that takes longer than the stall timeout, and repeats the report after each further timeout.
  /// - Parameters:
  ///   - stallTimeout: in seconds, above 0.
  ///   - report: takes the work and its seconds so far, on the watchdog's thread.
  package func watch(
    stallTimeout: Double, report: @escaping @Sendable (_ what: String, _ seconds: Double) -> Void
  ) {
    Thread.detachNewThread { [self] in
      while true {
        Thread.sleep(forTimeInterval: min(1, stallTimeout / 4))
        let stalled = present.withLock { present -> (what: String, seconds: Double)? in
          guard let now = present else { return nil }
          let seconds = (ContinuousClock.now - now.since) / .seconds(1)
          guard seconds >= stallTimeout * Double(now.reports + 1) else { return nil }
          present?.reports = Int(seconds / stallTimeout)
          return (now.what, seconds)
        }
        if let stalled { report(stalled.what, stalled.seconds) }
      }
    }
  }
}
