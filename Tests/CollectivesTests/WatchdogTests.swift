// What takes long is said while it lasts, by its own name and no other.
import Foundation
import Synchronization
import Testing

@testable import Collectives

@Suite("Work that takes long is named")
struct WatchdogTests {
  private final class Lines: Sendable {
    let all = Mutex<[String]>([])

    /// Waits for lines; a minute without them is a failure.
    func wait(for condition: ([String]) -> Bool) {
      for _ in 0..<6000 where !all.withLock({ condition($0) }) { Thread.sleep(forTimeInterval: 0.01) }
      #expect(condition(all.withLock(\.self)), "nothing was said")
    }
  }

  /// A watchdog whose lines are kept without their place and seconds.
  private func watched(timeout: Double, _ lines: Lines) -> Watchdog {
    let watchdog = Watchdog()
    watchdog.watch(
      StallRules(timeout: timeout, limit: .off), rank: 0, size: 1,
      report: { line in
        let words = line.drop { $0 != ":" }.dropFirst(2).prefix { $0 != "," }
        lines.all.withLock { $0.append(String(words)) }
      }, end: { _ in })
    return watchdog
  }

  @Test func innermostWorkUntilItEnds() {
    let lines = Lines()
    let watchdog = watched(timeout: 0.2, lines)
    defer { watchdog.end(isJobOver: true) }
    watchdog.during("quick") {}
    Thread.sleep(forTimeInterval: 0.5)
    #expect(lines.all.withLock(\.self) == [])
    watchdog.during("outer") {
      watchdog.during("inner") {
        lines.wait { $0.count >= 2 }  // again as long as it lasts
      }
      lines.wait { $0.count >= 3 }
    }
    #expect(lines.all.withLock { Array($0.prefix(3)) } == ["inner", "inner", "outer"])
  }

  @Test func stallTimeoutIsForOnePieceOfWork() {
    let lines = Lines()
    let watchdog = watched(timeout: 0.5, lines)
    defer { watchdog.end(isJobOver: true) }
    // Together longer than the stall timeout, each far shorter; on a busy machine one may be as long, and then it is
    // named.
    var longest = Duration.zero
    for index in 0..<20 {
      let time = ContinuousClock().measure { watchdog.during("\(index)") { Thread.sleep(forTimeInterval: 0.05) } }
      longest = max(longest, time)
    }
    Thread.sleep(forTimeInterval: 0.3)
    #expect(lines.all.withLock(\.self).isEmpty || longest >= .seconds(0.5))
    watchdog.during("long") { lines.wait { $0.last == "long" } }
  }

  struct Broken: Error {}

  @Test func failedWorkEnds() {
    let lines = Lines()
    let watchdog = watched(timeout: 0.3, lines)
    defer { watchdog.end(isJobOver: true) }
    watchdog.during("outer") {
      #expect(throws: Broken.self) { try watchdog.during("inner") { throw Broken() } }
      #expect(watchdog.activity.work == "outer")
      lines.wait { $0.contains("outer") }
    }
    #expect(watchdog.activity.work == nil)
    Thread.sleep(forTimeInterval: 0.2)
    let said = lines.all.withLock(\.count)
    Thread.sleep(forTimeInterval: 0.8)
    #expect(lines.all.withLock(\.count) == said, "nobody works")
  }

  @Test func activityCountsPiecesAndCollectiveCalls() {
    let watchdog = Watchdog()
    let before = watchdog.activity
    watchdog.enter("step 4")
    watchdog.waiting {
      let activity = watchdog.activity
      #expect(activity.isWaiting && activity.words == "waiting in step 4")
      #expect(activity.arrivals == before.arrivals + 1 && activity.progress > before.progress)
    }
    #expect(!watchdog.activity.isWaiting)
    watchdog.measured(step: 7)
    #expect(watchdog.activity.longest == 7)
  }
}
