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
    private let all = Mutex<[(rank: Int, what: String, seconds: Double)]>([])
    @Sendable func add(_ rank: Int, _ what: String, _ seconds: Double) {
      all.withLock { $0.append((rank, what, seconds)) }
    }
    var list: [(rank: Int, what: String, seconds: Double)] { all.withLock { $0 } }
  }

  /// Rank 1 comes to the second step's sum only once rank 0 has said that it waits, and then has waited as long again.
  @Test("rank 0 says that it waits for others, and for how long")
  func waiting() throws {
    let (run, reports) = (try TinyRun(validation: []), Reports())
    let timeout = 0.2
    @Sendable func waits() -> [(rank: Int, what: String, seconds: Double)] {
      reports.list.filter { $0.what == "waiting for other ranks" }
    }
    let outcome = run.train(ranks: 2, watch: (timeout, reports.add)) { call, _ in
      guard call.rank == 1, call.sums == 2 else { return }
      for _ in 0..<6000 where !waits().contains(where: { $0.seconds >= 2 * timeout }) { usleep(10_000) }
    }
    #expect(outcome.isFinished, "\(outcome.messages)")
    #expect(waits().contains { $0.seconds >= 2 * timeout }, "\(reports.list)")
    #expect(waits().allSatisfy { $0.rank == 0 && $0.seconds >= timeout }, "\(reports.list)")
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
      $0.what.hasPrefix("computing ") && $0.what.contains("huge") && $0.what.hasSuffix(" of step 1")
    }
    #expect(!named.isEmpty && Set(named.map(\.rank)).count == 1, "\(reports.list)")
    #expect(named.allSatisfy { $0.seconds >= timeout })
  }
}
