// The watchdog reports stalled work while it lasts, by its own name and no other.
import Foundation
import Synchronization
import Testing

@testable import Collectives

@Suite("Stalled work is reported by name")
struct WatchdogTests {
  private final class Lines: Sendable {
    let all = Mutex<[String]>([])
  }

  @Test func innermostWorkUntilItEnds() throws {
    let (watchdog, lines) = (Watchdog(), Lines())
    watchdog.watch(stallTimeout: 0.2) { what, seconds in
      lines.all.withLock { $0.append("\(what) \(seconds >= 0.2 ? "long" : "short")") }
    }
    watchdog.during("quick") {}
    Thread.sleep(forTimeInterval: 0.5)
    #expect(lines.all.withLock(\.self) == [])
    watchdog.during("outer") {
      watchdog.during("inner") {
        while lines.all.withLock(\.count) < 2 { Thread.sleep(forTimeInterval: 0.01) }  // repeated as long as it lasts
      }
      while lines.all.withLock(\.count) < 3 { Thread.sleep(forTimeInterval: 0.01) }
    }
    #expect(lines.all.withLock { Array($0.prefix(3)) } == ["inner long", "inner long", "outer long"])
  }

  @Test func stallTimeoutIsForOnePieceOfWork() {
    let (watchdog, lines) = (Watchdog(), Lines())
    watchdog.watch(stallTimeout: 0.5) { what, _ in lines.all.withLock { $0.append(what) } }
    // Together longer than the stall timeout, each far shorter: on a busy machine one may be as long and be reported.
    var longest = Duration.zero
    for index in 0..<20 {
      let time = ContinuousClock().measure { watchdog.during("\(index)") { Thread.sleep(forTimeInterval: 0.05) } }
      longest = max(longest, time)
    }
    Thread.sleep(forTimeInterval: 0.3)
    #expect(lines.all.withLock(\.self).isEmpty || longest >= .seconds(0.5))
    watchdog.during("long") {
      while lines.all.withLock(\.last) != "long" { Thread.sleep(forTimeInterval: 0.01) }
    }
  }

  struct Broken: Error {}

  /// The outer work continues, with the time that it has taken so far.
  @Test func failedWorkEnds() throws {
    let (watchdog, lines, began) = (Watchdog(), Lines(), Beginnings())
    watchdog.watch(stallTimeout: 0.3) { what, seconds in
      lines.all.withLock { $0.append(what) }
      if what == "outer" { began.all.withLock { $0.append(.now - .seconds(seconds)) } }
    }
    let start = ContinuousClock.now
    watchdog.during("outer") {
      while ContinuousClock.now - start < .seconds(1.2) {
        #expect(throws: Broken.self) { try watchdog.during("inner") { throw Broken() } }
      }
      while began.all.withLock(\.isEmpty) { Thread.sleep(forTimeInterval: 0.01) }
    }
    let first = began.all.withLock(\.first)
    let found = try #require(first)
    #expect(found - start < .seconds(0.6), "its time did not begin again after the inner work")
    Thread.sleep(forTimeInterval: 0.2)
    let reported = lines.all.withLock(\.count)
    Thread.sleep(forTimeInterval: 0.8)
    #expect(lines.all.withLock(\.count) == reported, "no work is running")
  }

  private final class Beginnings: Sendable {
    let all = Mutex<[ContinuousClock.Instant]>([])
  }
}
