// Requests to save and to stop, made by any one rank at any time, are met by all ranks at the same step.
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Requests to save and to stop")
struct SignalTests {
  /// A request by `rank` while it is in the step `step`, before the step's sum.
  private func asking(
    _ rank: Int, in step: Int, _ request: @escaping @Sendable (SignalRequests) -> Void
  ) -> TinyRun.Hook {
    { call, requests in if call.rank == rank, call.sums == step, call.others == 0 { request(requests) } }
  }

  @Test("a request of one rank alone saves after the next step, once, and the run goes on", arguments: 0..<3)
  func save(rank: Int) throws {
    let run = try TinyRun(validation: [])
    #expect(run.train(ranks: 3).isFinished)
    #expect(run.savedSteps == [TinyRun.steps])
    let expected = try run.checkpoint(TinyRun.steps)
    try run.clear()
    let outcome = run.train(ranks: 3, before: asking(rank, in: 2) { $0.requestSave() })
    #expect(outcome.isFinished, "\(outcome.messages)")
    #expect(run.savedSteps == [3, TinyRun.steps] && run.validSteps == run.savedSteps)
    #expect(try run.checkpoint(TinyRun.steps) == expected)
  }

  @Test("a request of one rank alone saves and stops all ranks after the same step", arguments: 0..<3)
  func stop(rank: Int) throws {
    for step in 1..<TinyRun.steps - 1 {
      let run = try TinyRun(validation: [])
      let outcome = run.train(ranks: 3, before: asking(rank, in: step) { $0.requestStop() })
      #expect(outcome.errors.allSatisfy { $0 as? TrainingError == .interrupted(step: step + 1) }, "\(outcome.messages)")
      #expect(run.savedSteps == [step + 1] && run.validSteps == run.savedSteps)
      #expect(try run.log().map(\.step) == Array(1...step + 1))
    }
  }

  @Test("in the last step there is nothing left to stop: the run ends as ever")
  func stopInLastStep() throws {
    let run = try TinyRun(validation: [])
    #expect(run.train(ranks: 2, before: asking(1, in: TinyRun.steps) { $0.requestStop() }).isFinished)
    #expect(run.savedSteps == [TinyRun.steps])
  }

  @Test("both at once: one checkpoint, and the end")
  func saveAndStop() throws {
    let run = try TinyRun(validation: [])
    let outcome = run.train(ranks: 2) { call, requests in
      guard call.sums == 2, call.others == 0 else { return }
      if call.rank == 0 { requests.requestSave() } else { requests.requestStop() }
    }
    #expect(outcome.errors.allSatisfy { $0 as? TrainingError == .interrupted(step: 3) }, "\(outcome.messages)")
    #expect(run.savedSteps == [3])
  }

  @Test("during a validation: it is left, noted as due and done first by whoever goes on", arguments: 0..<2)
  func stopInValidation(rank: Int) throws {
    let run = try TinyRun()
    let outcome = run.train(ranks: 2, before: asking(rank, in: 2) { $0.requestStop() })
    #expect(outcome.errors.allSatisfy { $0 as? TrainingError == .interrupted(step: 2) }, "\(outcome.messages)")
    #expect(run.savedSteps == [2])
    #expect(try run.checkpoint(2).validationDue && run.checkpoint(2).bestStep == nil)
    #expect(try run.log().allSatisfy { $0.validation_loss == nil || $0.step == 0 })
    // Stopped again before it: nothing is lost.
    let again = run.train(ranks: 2, resume: .newest) { _, requests in requests.requestStop() }
    #expect(again.errors.allSatisfy { $0 as? TrainingError == .interrupted(step: 2) }, "\(again.messages)")
    #expect(try run.savedSteps == [2] && run.checkpoint(2).validationDue)
    let resumed = run.train(ranks: 3, resume: .newest)
    #expect(resumed.isFinished)
    let log = try run.log()
    #expect(log.map(\.step) == [0, 1, 2, 2, 3, 4, 4, 5, 6, 6] && log[3].validation_loss != nil)
    #expect(try run.checkpoint(2).bestStep == 2)
  }

  @Test("during the probe: all ranks stop and nothing is kept", arguments: 0..<3)
  func stopInProbe(rank: Int) throws {
    let run = try TinyRun(["adapter.heads.select=influence", "adapter.heads.num_heads=1"])
    let outcome = run.train(ranks: 3) { call, requests in if call.rank == rank { requests.requestStop() } }
    #expect(outcome.errors.allSatisfy { $0 as? TrainingError == .interrupted(step: nil) }, "\(outcome.messages)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: run.directory).isEmpty)
    let whole = run.train(ranks: 3)
    #expect(whole.isFinished, "\(whole.messages)")
    let adapter = try run.checkpoint(TinyRun.steps).adapter
    #expect(adapter.count == 3, "one head was chosen: A, B and gamma of its layer")
  }

  @Test("rank 0's clock asks for checkpoints by the minute, without a message of its own")
  func everyMinutes() throws {
    let run = try TinyRun(validation: [])
    let outcome = run.train(ranks: 2, set: ["checkpoint.every_minutes=1e-9"])
    #expect(outcome.isFinished)
    #expect(run.savedSteps == Array(1...TinyRun.steps) && run.validSteps == run.savedSteps)
  }

  /// That signals of the process are such requests, Tests/EndToEnd shows with mpirun.
  @Test("a request to save is taken once, one to stop stays")
  func taking() {
    let requests = SignalRequests(saving: [], stopping: [])
    #expect(requests.take() == .none && !requests.stopRequested)
    requests.requestSave()
    requests.requestSave()
    #expect(requests.take() == Requests(save: true, stop: false) && requests.take() == .none)
    requests.requestStop()
    #expect(requests.stopRequested && requests.take() == Requests(save: false, stop: true))
    #expect(requests.stopRequested && requests.take().stop)
  }
}
