// metrics.jsonl and sessions.jsonl hold what was done, once, whatever was stopped and resumed in between.
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("The log of a run")
struct LogTests {
  @Test("every step once, in order, with the checkpoint's numbers; validations after their steps", arguments: [1, 3])
  func steps(ranks: Int) throws {
    let run = try TinyRun()
    let outcome = run.train(ranks: ranks)
    #expect(outcome.isFinished)
    #expect(outcome.lines[1...].joined().isEmpty, "rank 0 alone speaks")
    let (log, saved) = (try run.log(), try run.checkpoint(TinyRun.steps))
    #expect(log.map(\.step) == [0, 1, 2, 2, 3, 4, 4, 5, 6, 6])
    let steps = log.filter { $0.validation_loss == nil }
    #expect(steps.map { Int64($0.step) } == saved.steps && steps.map(\.loss) == saved.losses)
    #expect(steps.map(\.learning_rate) == saved.learningRates && steps.map(\.gradient_norm) == saved.gradientNorms)
    #expect(steps.map { Int64($0.tokens ?? 0) } == saved.tokens && steps.allSatisfy { $0.rows == TinyRun.batch })
    // Twelve examples, five a step; an epoch is that of the examples that come next.
    #expect(steps.map(\.epoch) == [0, 0, 1, 1, 2, 2])
    let validations = log.filter { $0.validation_loss != nil }
    // Answers of 5, 7, 2 and 1 bytes, each with the end of its turn and a line feed.
    #expect(validations.allSatisfy { $0.loss == nil && $0.validation_rows == 4 && $0.validation_tokens == 23 })
    let lowest = try #require(
      validations.filter { $0.step > 0 }.min { $0.validation_loss ?? 0 < $1.validation_loss ?? 0 })
    #expect(saved.bestStep == lowest.step && saved.bestLoss == lowest.validation_loss)
    #expect(try run.sessions() == [LoggedSession(after_step: 0, world_size: ranks, threads: 1, precision: "fp32")])
  }

  @Test("is cut back to the checkpoint that a run goes on from, a half-written line too")
  func cutBack() throws {
    let run = try TinyRun(["checkpoint.every_steps=1"])
    #expect(run.train(ranks: 2).isFinished)
    let whole = try run.log()
    for (step, ranks) in [(4, 1), (1, 3), (5, 2)] {
      var bytes = try bytes(of: run.directory + "/metrics.jsonl")
      bytes += Array(#"{"step": 2, "lo"#.utf8)
      try Data(bytes).write(to: URL(filePath: run.directory + "/metrics.jsonl"))
      let outcome = run.train(ranks: ranks, resume: .from(path: run.path(step: step))) { call, _ in
        guard call.rank == 0, call.sums == 1, call.others == 0 else { return }
        guard try run.log() == whole.filter({ $0.step <= step }) else { throw NotCutBack() }
      }
      #expect(outcome.isFinished, "as it was after step \(step): \(outcome.messages)")
      #expect(try run.log() == whole)
    }
    #expect(try run.sessions().map(\.after_step) == [0, 4, 1, 5])
    #expect(try run.sessions().map(\.world_size) == [2, 1, 3, 2])
  }

  @Test("steps that the file has lost are written again from the checkpoint, once each and in order")
  func rebuilt() throws {
    let run = try TinyRun(["checkpoint.every_steps=1"])
    #expect(run.train(ranks: 2).isFinished)
    let path = run.directory + "/metrics.jsonl"
    let (whole, text) = (try run.log(), try bytes(of: path))
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    let spoiled: [(String, [UInt8]?)] = [
      ("gone", nil), ("empty", []), ("cut in a line", Array(text[..<(text.count / 2)])),
      ("torn within, with zeros at its end", Array(text[..<100] + text[130...]) + Array(repeating: 0, count: 64)),
      ("not UTF-8 in a line", Array(text[..<40]) + [0xFF] + Array(text[41...])),
      ("lines missing", Array((lines[..<1] + lines[4...]).joined(separator: [0x0A]))),
      ("lines twice and in disorder", Array((lines[3...5] + lines).joined(separator: [0x0A]))),
    ]
    for (what, bytes) in spoiled {
      try? FileManager.default.removeItem(atPath: path)
      if let bytes { try Data(bytes).write(to: URL(filePath: path)) }
      let outcome = run.train(ranks: 1, resume: .from(path: run.path(step: 5)))
      #expect(outcome.isFinished, "\(what): \(outcome.messages)")
      let found = try run.log()
      let (steps, expected) = (found.filter { $0.loss != nil }, whole.filter { $0.loss != nil })
      #expect(steps.map(\.step) == Array(1...TinyRun.steps), "\(what)")
      #expect(steps.map(\.loss) == expected.map(\.loss) && steps.map(\.tokens) == expected.map(\.tokens), "\(what)")
      #expect(steps.map(\.gradient_norm) == expected.map(\.gradient_norm), "\(what)")
      #expect(found.map(\.step) == found.map(\.step).sorted(), "\(what)")
      // The best validation is in the checkpoint; step 6's is made after it.
      let validations = found.filter { $0.validation_loss != nil }
      let best = try run.checkpoint(5)
      #expect(validations.contains { $0.step == best.bestStep && $0.validation_loss == best.bestLoss }, "\(what)")
      #expect(Set(validations.map(\.step)).count == validations.count && validations.last?.step == 6, "\(what)")
    }
  }

  @Test("a validation that was logged but not saved is there once, however often the run was killed after it")
  func validationOnce() throws {
    let run = try TinyRun()
    let stopped = run.train(ranks: 1) { call, requests in
      if call.sums == 2, call.others == 0 { requests.requestStop() }
    }
    #expect(!stopped.isFinished && run.savedSteps == [2])
    #expect(try run.checkpoint(2).validationDue)
    let left = #"{"step":2,"validation_loss":9}"# + "\n"
    let path = run.directory + "/metrics.jsonl"
    try Data(bytes(of: path) + Array(left.utf8)).write(to: URL(filePath: path))
    #expect(run.train(ranks: 1, resume: .newest).isFinished)
    let log = try run.log()
    #expect(log.map(\.step) == [0, 1, 2, 2, 3, 4, 4, 5, 6, 6] && log[3].validation_loss != 9)
  }

  private struct NotCutBack: Error {}

  @Test("begins empty where a run begins, whatever lay there")
  func fromTheStart() throws {
    let run = try TinyRun(["training.steps=2"], validation: [])
    try FileManager.default.createDirectory(atPath: run.directory, withIntermediateDirectories: true)
    let left = #"{"step":1,"loss":9}"# + "\n"
    try Data(left.utf8).write(to: URL(filePath: run.directory + "/metrics.jsonl"))
    let session = #"{"after_step":0,"world_size":9,"threads":1,"precision":"fp32"}"# + "\n"
    try Data(session.utf8).write(to: URL(filePath: run.directory + "/sessions.jsonl"))
    #expect(run.train(ranks: 1, resume: .newest).isFinished)
    #expect(try run.log().map(\.step) == [1, 2] && run.log()[0].loss != 9)
    #expect(try run.sessions().map(\.world_size) == [1])
  }
}
