// What a rank is working on, for the ranks that wait for it and for whoever reads the log.
import Foundation
import Synchronization

/// What a rank does at one moment.
package struct Activity: Sendable, Equatable {
  /// The piece of work, as in "computing example 7 of step 3"; nil between pieces.
  package var work: String?
  /// Whether the rank has come to a collective call and waits for the others.
  package var isWaiting = false
  /// Since the piece or the wait began.
  package var seconds = 0.0
  /// The part of the job, as in "step 3".
  package var phase = "the start"
  /// Pieces and waits begun and ended so far: where it grows, the rank gets on.
  package var progress = 0
  /// Collective calls so far; a rank with fewer than another one is waited for.
  package var arrivals = 0
  /// The longest step or piece of work that has ended, in seconds.
  package var longest = 0.0

  package init() {}

  package var words: String { isWaiting ? "waiting in \(phase)" : work ?? phase }
}

/// Knows the present work of a rank. Other threads ask, so that a stall is noticed even while the rank hangs in a read.
package final class Watchdog: Sendable {
  private struct Work {
    let what: String
    let since = ContinuousClock.now
  }

  private struct State {
    var work: Work?
    var waitingSince: ContinuousClock.Instant?
    var counted = Activity()
  }

  private let state = Mutex(State())
  /// The job's file, once it is watched.
  let heartbeats = Mutex<HeartbeatFile?>(nil)
  let isEnded = Atomic(false)

  package init() {}

  /// Runs `body` as the work that `what` names; after it the outer work continues.
  package func during<Result>(_ what: String, _ body: () throws -> Result) rethrows -> Result {
    let (work, around) = (Work(what: what), state.withLock(\.work))
    state.withLock { state in
      state.work = work
      state.counted.progress += 1
    }
    defer {
      state.withLock { state in
        state.work = around
        state.counted.progress += 1
        state.counted.longest = max(state.counted.longest, (.now - work.since) / .seconds(1))
      }
    }
    return try body()
  }

  /// Runs a collective call, which returns once all ranks have made it.
  package func waiting<Result>(_ call: () throws -> Result) rethrows -> Result {
    state.withLock { state in
      state.waitingSince = .now
      state.counted.arrivals += 1
      state.counted.progress += 1
    }
    defer {
      state.withLock { state in
        state.waitingSince = nil
        state.counted.progress += 1
      }
    }
    return try call()
  }

  /// Names the part of the job that begins.
  package func enter(_ phase: String) {
    state.withLock { state in
      state.counted.phase = phase
      state.counted.progress += 1
    }
  }

  /// Takes the time of a whole step, by which the stall limit is measured.
  package func measured(step seconds: Double) {
    state.withLock { $0.counted.longest = max($0.counted.longest, seconds) }
  }

  /// Ends watching: this rank has done its work, or the whole job ends.
  /// - Parameter isJobOver: whether no rank needs the file of heartbeats any more, which is removed then.
  package func end(isJobOver: Bool) {
    isEnded.store(true, ordering: .relaxed)
    if isJobOver { heartbeats.withLock(\.self)?.remove() }
  }

  /// What the rank does now.
  package var activity: Activity {
    state.withLock { state in
      var activity = state.counted
      activity.work = state.work?.what
      activity.isWaiting = state.waitingSince != nil
      let since = state.waitingSince ?? state.work?.since
      activity.seconds = since.map { (.now - $0) / .seconds(1) } ?? 0
      return activity
    }
  }
}
