// What takes long is said while it lasts, by its own name and no other.
import Foundation
import Synchronization
import Testing

@testable import Collectives

@Suite("Work that takes long is named")
struct ActivityTests {
  private final class Lines: Sendable {
    let all = Mutex<[String]>([])
  }

  @Test func innermostWorkUntilItEnds() throws {
    let (activity, lines) = (Activity(), Lines())
    activity.watch(patience: 0.2) { what, seconds in
      lines.all.withLock { $0.append("\(what) \(seconds >= 0.2 ? "long" : "short")") }
    }
    activity.during("quick") {}
    Thread.sleep(forTimeInterval: 0.5)
    #expect(lines.all.withLock(\.self) == [])
    activity.during("outer") {
      activity.during("inner") {
        while lines.all.withLock(\.count) < 2 { Thread.sleep(forTimeInterval: 0.01) }  // again as long as it lasts
      }
      while lines.all.withLock(\.count) < 3 { Thread.sleep(forTimeInterval: 0.01) }
    }
    #expect(lines.all.withLock { Array($0.prefix(3)) } == ["inner long", "inner long", "outer long"])
  }
}
