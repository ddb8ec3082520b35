// The threads that watch a rank: one writes and reads heartbeats and may hang with the file system, one decides and
// never does.
import Foundation
import Synchronization

extension Watchdog {
  /// Starts to report work and waits that take longer than the stall timeout, and to end the job where no rank gets on
  /// for longer than the stall limit.
  /// - Parameters:
  ///   - heartbeats: where ranks hear from each other; nil: each knows of itself alone.
  ///   - report: takes lines, on the watchdog's thread.
  ///   - end: takes the line with which the job ends, on the watchdog's thread, once.
  package func watch(
    _ rules: StallRules, rank: Int, size: Int, heartbeats: HeartbeatFile? = nil,
    report: @escaping @Sendable (String) -> Void, end: @escaping @Sendable (String) -> Void
  ) {
    let host = ProcessInfo.processInfo.hostName
    let tracker = Tracker(StallTracker(rank: rank, size: size, host: host, rules: rules))
    self.heartbeats.withLock { $0 = heartbeats }
    if let heartbeats { beat(heartbeats, rules, rank: rank, size: size, host: host, tracker) }
    Thread.detachNewThread { [self] in
      repeatedly(every: rules.tick) { seconds in
        switch tracker.state.withLock({ $0.tick(activity, seconds: seconds) }) {
        case .none: return true
        case .report(let line): report(line)
        case .end(let line):
          end(line)
          return false
        }
        return true
      }
    }
  }

  private final class Tracker: Sendable {
    let state: Mutex<StallTracker>
    init(_ tracker: StallTracker) { state = Mutex(tracker) }
  }

  /// Writes this rank's heartbeats, and reads those of the others once this rank's present work or wait takes long.
  private func beat(
    _ file: HeartbeatFile, _ rules: StallRules, rank: Int, size: Int, host: String, _ tracker: Tracker
  ) {
    Thread.detachNewThread { [self] in
      var heartbeat = Heartbeat(rank: rank, number: 0, host: host, activity: activity)
      var earlier = heartbeat.activity.progress
      repeatedly(every: rules.beat, atOnce: true) { seconds in
        heartbeat.number += 1
        heartbeat.activity = activity
        file.write(heartbeat)
        if heartbeat.activity.progress == earlier {
          let found = file.read(ranks: size)
          tracker.state.withLock { $0.hear(found, seconds: seconds) }
        }
        earlier = heartbeat.activity.progress
        return true
      }
    }
  }

  /// Calls `body` again and again with the seconds since the last call until it returns false or the job is done. Time
  /// in which the process was stopped, as by a scheduler that suspends jobs, counts as twice the interval at most.
  private func repeatedly(every interval: Double, atOnce: Bool = false, _ body: (Double) -> Bool) {
    var last = ContinuousClock.now
    if atOnce, !body(0) { return }
    while true {
      Thread.sleep(forTimeInterval: interval)
      let now = ContinuousClock.now
      guard !isEnded.load(ordering: .relaxed), body(min((now - last) / .seconds(1), 2 * interval)) else { return }
      last = now
    }
  }
}
