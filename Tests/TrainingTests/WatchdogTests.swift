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

  /// Rank 1 comes to the second step's all-reduce only after two reports of rank 0.
  @Test("rank 0 reports that it waits, repeatedly while it waits, and nothing is reported after that")
  func waiting() throws {
    let (run, reports) = (try TinyRun(validation: []), Reports())
    let timeout = 0.2
    let outcome = run.train(ranks: 2, watch: (timeout, reports.add)) { call, _ in
      guard call.rank == 1, call.sums == 2 else { return }
      for _ in 0..<6000 where reports.list.count < 2 { usleep(10_000) }
    }
    #expect(outcome.isFinished, "\(outcome.messages)")
    let waits = reports.list.filter { $0.what == "waiting for other ranks" }
    #expect(waits.count >= 2 && waits.allSatisfy { $0.rank == 0 && $0.seconds >= timeout })
    #expect(waits[1].seconds >= 2 * timeout)
  }

  /// An image so large that no machine computes it within the stall timeout, among small ones.
  @Test("the example that takes long is named, with the step")
  func computing() throws {
    let run = try TinyRun(
      ["model.max_pixels=1003520", "training.steps=1", "training.global_batch=2"],
      training: [
        TinyExamples.line("huge", images: ["huge.png"], question: "What?", answer: "noise"),
        TinyExamples.line("text", question: "2+2", answer: "4"),
      ], validation: [], images: ["huge.png"])
    try run.folder.write("huge.png", TinyExamples.png(width: 980, height: 980, seed: 1))
    let reports = Reports()
    let outcome = run.train(ranks: 2, watch: (0.02, reports.add))
    #expect(outcome.isFinished, "\(outcome.messages)")
    let named = reports.list.filter { $0.what == "computing example huge of step 1" }
    #expect(!named.isEmpty && Set(named.map(\.rank)).count == 1, "\(reports.list)")
    #expect(named.allSatisfy { $0.seconds >= 0.02 })
    #expect(!reports.list.contains { $0.what.contains("row text") && $0.seconds > named.map(\.seconds).max() ?? 0 })
  }
}
