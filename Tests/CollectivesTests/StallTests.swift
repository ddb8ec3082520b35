// A job in which nobody gets on ends, with a line that names who is waited for; any other job goes on.
import Files
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Collectives

@Suite("Stalls")
struct StallTests {
  private func tracker(rank: Int = 0, of size: Int = 3, limit: StallLimit = .seconds(10)) -> StallTracker {
    StallTracker(rank: rank, size: size, host: "node\(rank)", rules: StallRules(timeout: 4, limit: limit))
  }

  private func waiting(arrivals: Int = 5, progress: Int = 9, seconds: Double = 0) -> Activity {
    var activity = Activity()
    (activity.arrivals, activity.progress, activity.isWaiting) = (arrivals, progress, true)
    (activity.phase, activity.seconds) = ("step 3", seconds)
    return activity
  }

  private func computing(arrivals: Int = 4, progress: Int = 8) -> Activity {
    var activity = Activity()
    (activity.arrivals, activity.progress) = (arrivals, progress)
    (activity.work, activity.phase) = ("computing p1 of step 3", "step 3")
    return activity
  }

  private func heartbeat(_ rank: Int, _ number: Int, _ activity: Activity) -> Heartbeat {
    Heartbeat(rank: rank, number: number, host: "node\(rank)", activity: activity)
  }

  /// Ticks of a second, each after the records of that second; the verdicts that are any.
  private func run(
    _ tracker: inout StallTracker, seconds: Int, own: (Int) -> Activity, heard: (Int) -> [Heartbeat?]
  ) -> [StallTracker.Verdict] {
    (1...seconds).map { second in
      tracker.hear(heard(second), seconds: 1)
      return tracker.tick(own(second), seconds: 1)
    }.filter { $0 != .none }
  }

  @Test("a stopped rank is named with its host, its example and its silence, and the job ends at the limit")
  func stopped() {
    var tracker = tracker()
    let verdicts = run(&tracker, seconds: 20, own: { waiting(seconds: Double($0)) }) { second in
      [nil, heartbeat(1, second, waiting()), heartbeat(2, 7, computing())]
    }
    #expect(
      verdicts.first
        == .report(
          "rank 0 of 3 on node0: waiting in step 3 for rank 2 on node2 (computing p1 of step 3, not heard from for 4 s), "
            + "for 4 s so far"))
    let line = verdicts.compactMap { if case .end(let line) = $0 { line } else { nil } }.first
    #expect(
      line?.hasPrefix(
        "rank 0 of 3 on node0: no progress for 10 s: waiting in step 3 for rank 2 on node2 (computing p1 of step 3, not "
          + "heard from for ") == true, "\(verdicts)")
    #expect(line?.contains("logging.stall_limit_seconds") == true)
  }

  @Test("with rank 0 stopped the first of the others speaks, and both end the job")
  func rankZero() {
    for rank in [1, 2] {
      var tracker = tracker(rank: rank)
      let verdicts = run(&tracker, seconds: 12, own: { waiting(seconds: Double($0)) }) { second in
        [heartbeat(0, 7, computing()), heartbeat(3 - rank, second, waiting())]
      }
      let reports = verdicts.filter { if case .report = $0 { true } else { false } }
      #expect(reports.isEmpty == (rank == 2), "\(verdicts)")
      #expect(verdicts.contains { if case .end = $0 { true } else { false } })
    }
  }

  @Test("a wait lasts as long as any rank gets on")
  func slow() {
    var tracker = tracker()
    let verdicts = run(&tracker, seconds: 100, own: { waiting(seconds: Double($0)) }) { second in
      [nil, heartbeat(1, second, waiting()), heartbeat(2, second, computing(progress: second / 8))]
    }
    #expect(!verdicts.contains { if case .end = $0 { true } else { false } }, "\(verdicts)")
  }

  @Test("ranks that all have come as far, or of which nothing is known, are said to be so")
  func unknown() {
    var cut = tracker()
    let all = run(&cut, seconds: 11, own: { waiting(seconds: Double($0)) }) { second in
      [nil, heartbeat(1, second, waiting()), heartbeat(2, second, waiting())]
    }
    #expect("\(all)".contains("a link of the network may be cut"))
    var blind = tracker(rank: 1)
    let alone = run(&blind, seconds: 11, own: { waiting(seconds: Double($0)) }, heard: { _ in [] })
    #expect("\(alone)".contains("nothing is known of rank 0, 2"), "\(alone)")
  }

  @Test("the automatic limit follows the longest step of any rank; off is off")
  func limits() {
    #expect(StallLimit.automatic.seconds(longest: 3) == 1800)
    #expect(StallLimit.automatic.seconds(longest: 400) == 4000)
    #expect(StallLimit.off.seconds(longest: 1) == nil)
    var tracker = tracker(limit: .automatic)
    var long = computing()
    long.longest = 400
    tracker.hear([heartbeat(1, 1, long)], seconds: 1)
    #expect(tracker.tick(waiting(), seconds: 0) == .none)
    #expect(tracker.tick(waiting(), seconds: 3999) == .none)
    #expect(tracker.tick(waiting(), seconds: 2) != .none)
  }

  @Test("a record is read as it was written, and not at all if any of its bits is another")
  func records() throws {
    var activity = computing(arrivals: 12, progress: 345)
    activity.work = "computing \(String(repeating: "\u{1F600}\t", count: 99)) of step 3"
    (activity.seconds, activity.longest) = (1e300, 17)
    let beat = Heartbeat(rank: 4095, number: .max, host: String(repeating: "h", count: 300), activity: activity)
    let record = beat.record
    #expect(record.count == Heartbeat.size && record.last == 0x0A && !record.dropLast().contains(0x0A))
    let read = try #require(Heartbeat(record: record[...]))
    #expect((read.rank, read.number, read.activity.progress) == (4095, .max, 345))
    #expect(read.activity.arrivals == 12 && read.activity.longest == 17 && !read.activity.isWaiting)
    #expect(read.activity.work?.hasPrefix("computing \u{1F600} ") == true && read.host.count == 80)
    for bit in 0..<record.count * 8 {
      var flipped = record
      flipped[bit / 8] ^= 1 << (bit % 8)
      #expect(Heartbeat(record: flipped[...]) == nil)
    }
    #expect(Heartbeat(record: [UInt8](repeating: 0, count: Heartbeat.size)[...]) == nil)
  }

  @Test("ranks hear of each other through the file; a killed job's file is swept, a living one's is not")
  func file() throws {
    let folder = try TemporaryFolder()
    let host = ProcessInfo.processInfo.hostName
    try folder.write(".imagelora-heartbeats-\(host)-999999999-ab", [] as [UInt8])  // no such process
    try folder.write(".imagelora-heartbeats-\(host)-1-cd", [] as [UInt8])
    let found = Mutex<[Int]>([])
    let outcomes = runOnRanks(3) { communicator in
      let file = try HeartbeatFile.shared(near: folder.path("run/not/yet"), communicator)
      guard let file else { return }
      file.write(Heartbeat(rank: communicator.rank, number: 1, host: "h", activity: Activity()))
      _ = try communicator.allGather([])
      found.withLock { $0.append(file.read(ranks: 4).compactMap(\.self).count) }
      _ = try communicator.allGather([])
      if communicator.rank == 0 { file.remove() }
    }
    #expect(outcomes.allSatisfy { if case .success = $0 { true } else { false } })
    #expect(found.withLock(\.self) == [3, 3, 3])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path(""))
        == [".imagelora-heartbeats-\(host)-1-cd"])
  }

  @Test("one rank sweeps too, also above the folder that was made since")
  func sweptByOneRank() throws {
    let folder = try TemporaryFolder()
    let host = ProcessInfo.processInfo.hostName
    try FileManager.default.createDirectory(atPath: folder.path("run"), withIntermediateDirectories: false)
    for name in [
      ".imagelora-heartbeats-\(host)-999999999-ab", "run/.imagelora-heartbeats-\(host)-999999999-cd",
      "run/.imagelora-heartbeats-elsewhere-7-ef", "run/step-1.h5",
    ] { try folder.write(name, [] as [UInt8]) }
    #expect(try HeartbeatFile.shared(near: folder.path("run"), SingleProcess()) == nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("")) == ["run"])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path("run")).sorted()
        == [".imagelora-heartbeats-elsewhere-7-ef", "step-1.h5"])
  }
}
