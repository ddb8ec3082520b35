// What takes long is said while it lasts, by its own name and no other.
import Foundation
import Synchronization
import Testing

@testable import Collectives

@Suite("Work that takes long is named")
struct ActivityTests {
  private final class Lines: Sendable {
    let all = Mutex<[String]>([])

    /// Waits for lines; a minute without them is a failure.
    func wait(for condition: ([String]) -> Bool) {
      for _ in 0..<6000 where !all.withLock({ condition($0) }) { Thread.sleep(forTimeInterval: 0.01) }
      #expect(condition(all.withLock(\.self)), "nothing was said")
    }
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
        lines.wait { $0.count >= 2 }  // again as long as it lasts
      }
      lines.wait { $0.count >= 3 }
    }
    #expect(lines.all.withLock { Array($0.prefix(3)) } == ["inner long", "inner long", "outer long"])
  }

  @Test func stallTimeoutIsForOnePieceOfWork() {
    let (watchdog, lines) = (Watchdog(), Lines())
    watchdog.watch(stallTimeout: 0.5) { what, _ in lines.all.withLock { $0.append(what) } }
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

  /// The work around goes on, with the time that it has had so far.
  @Test func failedWorkEnds() throws {
    let (watchdog, lines, began) = (Watchdog(), Lines(), Beginnings())
    watchdog.watch(stallTimeout: 0.3) { what, seconds in
      if what == "outer" { began.all.withLock { $0.append(.now - .seconds(seconds)) } }
      lines.all.withLock { $0.append(what) }
    }
    let start = ContinuousClock.now
    watchdog.during("outer") {
      while ContinuousClock.now - start < .seconds(1.2) {
        #expect(throws: Broken.self) { try watchdog.during("inner") { throw Broken() } }
      }
      lines.wait { $0.contains("outer") }
    }
    let first = began.all.withLock(\.first)
    let found = try #require(first)
    #expect(found - start < .seconds(0.6), "its time did not begin again after the inner work")
    Thread.sleep(forTimeInterval: 0.2)
    let said = lines.all.withLock(\.count)
    Thread.sleep(forTimeInterval: 0.8)
    #expect(lines.all.withLock(\.count) == said, "nobody works")
  }

  private final class Beginnings: Sendable {
    let all = Mutex<[ContinuousClock.Instant]>([])
  }
}
