// A slow rank is reported with the example that it computes, and rank 0 with the ranks that it waits for.
import Foundation
import Synchronization
import TestSupport
import Testing
import TinyModels

@testable import Training

@Suite("Slow ranks are reported")
struct WatchdogTests {
  private final class Reports: Sendable {
    private let all = Mutex<[(rank: Int, line: String)]>([])
    @Sendable func add(_ rank: Int, _ line: String) { all.withLock { $0.append((rank, line)) } }
    var list: [(rank: Int, line: String)] { all.withLock { $0 } }
  }

  /// Rank 1 comes to the second step's sum only once rank 0 has said twice that it waits.
  @Test("rank 0 says that it waits for others, in which step, and for how long")
  func waiting() throws {
    let (run, reports) = (try TinyRun(validation: []), Reports())
    @Sendable func waits() -> [(rank: Int, line: String)] {
      reports.list.filter { $0.line.contains(": waiting for other ranks in step 2, for ") }
    }
    let outcome = run.train(ranks: 2, watch: (0.2, reports.add)) { call, _ in
      guard call.rank == 1, call.sums == 2 else { return }
      for _ in 0..<6000 where waits().count < 2 { usleep(10_000) }
    }
    #expect(outcome.isFinished, "\(outcome.messages)")
    #expect(waits().count >= 2, "\(reports.list)")
    #expect(reports.list.filter { $0.line.contains("waiting") }.allSatisfy { $0.rank == 0 }, "\(reports.list)")
    #expect(waits().allSatisfy { $0.line.hasPrefix("rank 0 of 2 on ") })
  }

  /// An image so large that no machine computes it within the timeout, and an example of text for the other rank.
  @Test("the example that takes long is named, with the step, by the rank that computes it")
  func computing() throws {
    let run = try TinyRun(
      ["model.max_pixels=1003520", "training.steps=1", "training.global_batch=2"],
      training: [
        TinyExamples.line("huge", images: ["huge.png"], question: "What?", answer: "noise"),
        TinyExamples.line("text", question: "2+2", answer: "4"),
      ], validation: [], images: ["huge.png"])
    try run.folder.write("huge.png", TinyExamples.png(width: 980, height: 980, seed: 1))
    let (reports, timeout) = (Reports(), 0.02)
    let outcome = run.train(ranks: 2, watch: (timeout, reports.add))
    #expect(outcome.isFinished, "\(outcome.messages)")
    let named = reports.list.filter {
      $0.line.contains(": computing ") && $0.line.contains("huge") && $0.line.contains(" of step 1, for ")
    }
    #expect(!named.isEmpty && Set(named.map(\.rank)).count == 1, "\(reports.list)")
  }
}
