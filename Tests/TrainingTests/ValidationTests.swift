// Validation before the first step, the best one by a metric of answers, early stopping, and what a run says of it.
import Adapters
import Artifacts
import Foundation
import RunFile
import TestSupport
import Testing

@testable import Training

@Suite("Validation of a run")
struct ValidationTests {
  private func lines(_ outcome: TinyRun.Outcome, _ start: String) -> [String] {
    outcome.lines[0].filter { $0.hasPrefix(start) }
  }

  @Test("comes before the first step, is no candidate for the best, and stays through a resume and a lost log")
  func beforeTraining() throws {
    let run = try TinyRun(["checkpoint.every_steps=1"])
    let outcome = run.train(ranks: 2)
    #expect(outcome.isFinished, "\(outcome.messages)")
    let first = try #require(run.log().first)
    #expect(first.step == 0 && first.validation_loss != nil && first.loss == nil)
    #expect(lines(outcome, "validation at step 0: loss").count == 1)
    let later = lines(outcome, "validation at step 2: loss")
    #expect(later.count == 1 && later[0].contains("since step 0"))
    #expect(outcome.lines[0].last?.contains("; before training ") == true)
    let whole = try run.log()
    try FileManager.default.removeItem(atPath: run.directory + "/metrics.jsonl")
    #expect(run.train(ranks: 1, resume: .from(path: run.path(step: 5))).isFinished)
    #expect(try run.log().first?.validation_loss == whole.first?.validation_loss)
  }

  @Test("a stop in the validation before training leaves nothing, and the next start makes it", arguments: 0..<2)
  func stopBeforeTraining(rank: Int) throws {
    let run = try TinyRun()
    let outcome = run.train(ranks: 2) { call, requests in
      if call.rank == rank, call.sums == 0 { requests.requestStop() }
    }
    #expect(outcome.errors.allSatisfy { $0 as? TrainingError == .interrupted(step: 0) }, "\(outcome.messages)")
    #expect(run.savedSteps.isEmpty)
    #expect(run.train(ranks: 1, resume: .newest).isFinished)
    #expect(try run.log().first?.step == 0)
  }

  @Test("ends the run where none was better for as long as the patience says, on any ranks and through a resume")
  func patience() throws {
    // A rate of nothing: no validation is better than the first of a step.
    let settings = ["training.learning_rate=0", "training.patience=2", "training.steps=20"]
    let run = try TinyRun(settings)
    for ranks in [1, 3] {
      if ranks > 1 { try run.clear() }
      let outcome = run.train(ranks: ranks)
      #expect(outcome.isFinished && run.savedSteps == [2, 6], "\(run.savedSteps) \(outcome.messages)")
      #expect(outcome.lines[0].contains("stopped early: no validation since step 2 was better (training.patience)"))
      #expect(outcome.lines[0].contains { $0.hasPrefix("finished 6 steps") })
    }
    let again = run.train(ranks: 2, resume: .newest)
    #expect(again.isFinished && run.savedSteps == [2, 6])
    #expect(again.lines[0].contains { $0.hasPrefix("stopped early") })
    // More patience goes on from there to the same bytes as with more from the start.
    #expect(run.train(ranks: 2, resume: .newest, set: ["training.patience=3"]).isFinished)
    let whole = try TinyRun(["training.learning_rate=0", "training.patience=3", "training.steps=20"])
    #expect(whole.train(ranks: 1).isFinished)
    #expect(run.savedSteps == [2, 6, 8] && whole.savedSteps == [2, 8])
    #expect(try run.checkpoint(8) == whole.checkpoint(8))
  }

  @Test("the best is chosen by a metric of answers, the same on any ranks, and is in log, metrics and checkpoint")
  func byAnswers() throws {
    let settings = ["training.best_by=exact_match", "training.answered_rows=3", "training.max_new_tokens=4"]
    let run = try TinyRun(settings)
    let outcome = run.train(ranks: 1)
    #expect(outcome.isFinished, "\(outcome.messages)")
    let shown = lines(outcome, "validation at step")
    #expect(shown.count == 4 && shown.allSatisfy { $0.contains("; exact match ") && $0.contains(" of 3 answers") })
    let text = String(decoding: try bytes(of: run.directory + "/metrics.jsonl"), as: UTF8.self)
    #expect(text.split(separator: "\n").count { $0.contains("\"validation_exact_match\":") } == 4)
    let file = try CheckpointFile(run.path(step: TinyRun.steps))
    let (best, start) = (try file.best(), try file.start())
    #expect(best?.score?.name == "exact_match" && start?.step == 0 && start?.score?.name == "exact_match")
    let alone = try run.checkpoint(TinyRun.steps)
    try run.clear()
    #expect(run.train(ranks: 3).isFinished)
    #expect(try run.checkpoint(TinyRun.steps) == alone)
    // By another measure what was best before counts no longer.
    let other = run.train(
      ranks: 1, resume: .newest, set: ["training.best_by=loss", "training.steps=\(TinyRun.steps)"])
    #expect(other.lines[0].contains { $0.contains("was chosen by exact_match; from here on it is by loss") })
  }

  @Test("a metric that no answered example has is refused before the first step") func missing() throws {
    let run = try TinyRun(["training.best_by=iou"])
    let outcome = run.train(ranks: 2)
    #expect(
      outcome.messages[0]?.contains("training.best_by: iou, of which none of 4 answered validation examples") == true,
      "\(outcome.messages)")
    #expect(run.savedSteps.isEmpty)
  }

  @Test("a loss that does not move is said once, with or without validation; one that moves is not")
  func stagnation() throws {
    for (rate, count) in [("0", 1), ("0.4", 0)] {
      let run = try TinyRun(["training.learning_rate=\(rate)", "training.steps=14"])
      let outcome = run.train(ranks: 1)
      #expect(lines(outcome, "warning    the validation loss moved from").count == count, "\(outcome.lines[0])")
    }
    // An epoch is 2.4 steps; two whole ones of two steps each.
    let run = try TinyRun(["training.learning_rate=0", "training.global_batch=6"], validation: [])
    let outcome = run.train(ranks: 1)
    #expect(lines(outcome, "warning    the loss of the second epoch is").count == 1, "\(outcome.lines[0])")
  }

  @Test("words of warnings") func words() {
    let start = TrainingState.Validated(step: 0, loss: 5.95, score: .init(name: "point_in_box", value: 0.857))
    let now = TrainingState.Validated(step: 80, loss: 1.67, score: .init(name: "point_in_box", value: 0.143))
    #expect(
      LearningWarnings.regression(from: start, to: now)
        == "since step 0 the loss fell from 5.9500 to 1.6700, but point in box fell too, from 85.7% to 14.3%")
    #expect(LearningWarnings.regression(from: now, to: start) == nil)
    #expect(LearningWarnings.unmoved(from: start, to: now, best: now) == nil)
    #expect(now.isBetter(than: nil) && !now.isBetter(than: start) && start.isBetter(than: now))
    let equal = TrainingState.Validated(step: 9, loss: 1, score: .init(name: "point_in_box", value: 0.143))
    #expect(equal.isBetter(than: now), "of equal scores the lower loss")
  }

  @Test("what is said of a signal to stop is said once, and at once") func announced() {
    let requests = SignalRequests(saving: [], stopping: [])
    let said = Counter()
    requests.announceStop { said.add() }
    requests.requestSave()
    #expect(said.count == 0)
    requests.requestStop()
    requests.requestStop()
    #expect(said.count == 1)
  }

  @Test("a run without a learning rate has the model's, in its file and its digest") func rate() throws {
    let settings = ["training.learning_rate=null", "training.rate_factors=null", "training.steps=2"]
    let run = try TinyRun(settings, validation: [])
    #expect(run.train(ranks: 2).isFinished)
    let text = String(decoding: try bytes(of: run.directory + "/run.yaml"), as: UTF8.self)
    #expect(text.contains("learning_rate: \(1 / 16.0)") && text.contains("B: 100.0, gamma: 1.0}"), "\(text)")
    let log = try run.log()
    #expect(log.first?.learning_rate == 1 / 16.0)
  }

  @Test("a step's line has what a core does and how much of a GEMM's speed that is") func utilization() throws {
    let run = try TinyRun(validation: [])
    #expect(run.train(ranks: 2).isFinished)
    struct Line: Decodable {
      let tokens_per_second, tokens_per_second_per_core, utilization: Double
    }
    for text in try bytes(of: run.directory + "/metrics.jsonl").split(separator: 0x0A) {
      let line = try JSONDecoder().decode(Line.self, from: Data(text))
      #expect(abs(line.tokens_per_second - 2 * line.tokens_per_second_per_core) < 1e-6 * line.tokens_per_second)
      #expect(line.utilization > 0 && line.utilization < 2)
    }
  }
}

private final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0
  func add() { lock.withLock { value += 1 } }
  var count: Int { lock.withLock { value } }
}
