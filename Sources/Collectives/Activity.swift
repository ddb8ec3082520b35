// What a rank is busy with, and a word about it when that takes long: the other ranks wait for it.
import Foundation
import Synchronization

/// A rank's present work in words. A watch looks at it from a thread of its own, so that it speaks even while the rank
/// hangs in a read; ranks send each other nothing for it.
public final class Activity: Sendable {
  private struct Present {
    let what: String
    let since = ContinuousClock.now
    /// Multiples of the watch's patience that were said.
    var said = 0
  }

  private let present = Mutex<Present?>(nil)

  public init() {}

  /// Runs `body` as the work that `what` names; behind it the work around it goes on.
  public func during<Result>(_ what: String, _ body: () throws -> Result) rethrows -> Result {
    let around = present.withLock { present in
      defer { present = Present(what: what) }
      return present
    }
    defer { present.withLock { $0 = around } }
    return try body()
  }

  /// From now on says what takes `patience`, and again each time that it has taken as long once more.
  /// - Parameters:
  ///   - patience: seconds above 0.
  ///   - say: takes the work and its seconds so far, on the watch's thread.
  public func watch(patience: Double, say: @escaping @Sendable (_ what: String, _ seconds: Double) -> Void) {
    Thread.detachNewThread { [self] in
      while true {
        Thread.sleep(forTimeInterval: min(1, patience / 4))
        let long = present.withLock { present -> (what: String, seconds: Double)? in
          guard let now = present else { return nil }
          let seconds = (ContinuousClock.now - now.since) / .seconds(1)
          guard seconds >= patience * Double(now.said + 1) else { return nil }
          present?.said = Int(seconds / patience)
          return (now.what, seconds)
        }
        if let long { say(long.what, long.seconds) }
      }
    }
  }
}
