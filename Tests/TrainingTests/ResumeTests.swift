// A run that was stopped anywhere and resumed is, to the last bit, the run that nobody stopped.
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Resuming")
struct ResumeTests {
  /// The run that these tests stop and resume, in one folder all the time.
  private let run: TinyRun
  /// What it left on two ranks when nobody stopped it.
  private let last, best: SavedCheckpoint
  private let log: [LoggedLine]
  private let bytesOfLast: [UInt8]
  /// Where its collectives were, from the last before the first step on.
  private let places: [Place]

  /// A collective's place among all of a rank.
  struct Place: Hashable, Sendable {
    let sums, others: Int
    init(_ call: ThreadCommunicator.Call) { (sums, others) = (call.sums, call.others) }
  }

  init() throws {
    let calls = Calls()
    run = try TinyRun()
    let outcome = run.train(ranks: 2) { call, _ in calls.add(call) }
    #expect(outcome.messages == [nil, nil])
    let all = calls.all.filter { $0.rank == 0 }.map(Place.init)
    places = Array(all[(all.lastIndex { $0.sums == 0 } ?? 0)...])
    (last, best) = (try run.checkpoint(TinyRun.steps), try SavedCheckpoint(run.directory + "/best.h5"))
    #expect(best.step == 4, "between two worse ones, so that a lost best one shows")
    log = try run.log()
    bytesOfLast = try bytes(of: run.path(step: TinyRun.steps))
    try run.clear()
  }

  /// The folder holds what the whole run left: the last checkpoint, the best one, the log; and nothing half done.
  private func expectWhole(ranks: Int, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(try run.checkpoint(TinyRun.steps) == last, "\(what)", sourceLocation: sourceLocation)
    #expect(try SavedCheckpoint(run.directory + "/best.h5") == best, "\(what)", sourceLocation: sourceLocation)
    #expect(try run.log() == log, "\(what)", sourceLocation: sourceLocation)
    // A checkpoint states its number of ranks.
    if ranks == 2 {
      #expect(try bytes(of: run.path(step: TinyRun.steps)) == bytesOfLast, "\(what)", sourceLocation: sourceLocation)
    }
    #expect(run.validSteps == run.savedSteps && run.partialFiles.isEmpty, "\(what)", sourceLocation: sourceLocation)
  }

  @Test("stopped by a request at any collective of any rank, on other numbers of ranks: the bytes of the whole run")
  func stopped() throws {
    var (steps, due, afterBest) = (Set<Int>(), Set<Int>(), 0)
    for (index, place) in places.enumerated() {
      for asking in 0..<2 {
        let what = "asked by rank \(asking) at \(place)"
        let outcome = run.train(ranks: 2) { call, requests in
          if call.rank == asking, Place(call) == place { requests.requestStop() }
        }
        let step = try #require(run.savedSteps.last)
        steps.insert(step)
        let saved = try run.checkpoint(step)
        // After the last step nothing is left to stop but its validation.
        if step < TinyRun.steps || saved.validationDue {
          #expect(outcome.errors.allSatisfy { $0 as? TrainingError == .interrupted(step: step) }, "\(what)")
        } else {
          #expect(place.sums >= TinyRun.steps - 1 && outcome.isFinished, "\(what): \(outcome.messages)")
        }
        if saved.validationDue { due.insert(step) }
        if saved.bestStep == step - 1 { afterBest += 1 }
        let ranks = [1, 2, 3][(index + asking) % 3]
        let resumed = run.train(ranks: ranks, resume: .newest)
        #expect(resumed.isFinished, "\(what): \(resumed.messages)")
        #expect(try run.sessions().map(\.after_step) == [0, step], "\(what)")
        try expectWhole(ranks: step < TinyRun.steps || saved.validationDue ? ranks : 2, "\(what), on \(ranks) ranks")
        try run.clear()
      }
    }
    #expect(steps == Set(1...TinyRun.steps), "every step was the last of some run")
    #expect(due == [2, 4, 6] && afterBest > 0, "before each validation, and after a best one")
  }

  @Test("killed in any step: from the newest checkpoint, or from the start where there is none", arguments: [1, 2, 3])
  func killed(ranks: Int) throws {
    for step in 1...TinyRun.steps {
      let outcome = run.train(ranks: 2, set: ["checkpoint.every_steps=3"]) { call, _ in
        if call.sums == step, call.others == 0 { throw Killed() }
      }
      #expect(outcome.errors.allSatisfy { $0 is Killed }, "\(outcome.messages)")
      #expect(run.savedSteps.allSatisfy { $0 < step } && run.validSteps == run.savedSteps)
      let resumed = run.train(ranks: ranks, resume: .newest)
      #expect(resumed.isFinished, "\(resumed.messages)")
      try expectWhole(ranks: ranks, "killed in step \(step), on \(ranks) ranks")
      try run.clear()
    }
  }

  private struct Killed: Error {}

  /// A rank's collectives from a resumed start to its first step where no validation is due.
  private func collectivesBeforeResuming() throws -> Int {
    let run = try TinyRun(["checkpoint.every_steps=1"])
    #expect(run.train(ranks: 2).isFinished)
    let calls = Calls()
    #expect(run.train(ranks: 2, resume: .from(path: run.path(step: 1))) { call, _ in calls.add(call) }.isFinished)
    return try #require(calls.all.last { $0.rank == 0 && $0.sums == 0 }).others
  }

  @Test("stopped after every single step, on one, two and three ranks in turn")
  func stoppedOften() throws {
    let (first, later) = (try #require(places.first).others, try collectivesBeforeResuming())
    var steps: [Int] = []
    while steps.last != TinyRun.steps, steps.count < 2 * TinyRun.steps {
      let isDue = try run.savedSteps.last.map { try run.checkpoint($0).validationDue } ?? false
      // The last collective before the first step: a validation that is due has two of its own, its saving one.
      let last = steps.isEmpty ? first : later + (isDue ? 3 : 0)
      let outcome = run.train(ranks: 1 + steps.count % 3, resume: .newest) { call, requests in
        if call.rank == 0, call.sums == 0, call.others == last { requests.requestStop() }
      }
      steps.append(try #require(run.savedSteps.last))
      let stopped = TrainingError.interrupted(step: steps.last)
      #expect(outcome.errors.allSatisfy { $0 as? TrainingError == stopped }, "\(outcome.messages)")
    }
    #expect(steps == Array(1...TinyRun.steps))
    #expect(run.train(ranks: 3, resume: .newest).isFinished, "the last validation")
    try expectWhole(ranks: 3, "stopped after each step")
  }

  @Test("the newest checkpoints and the best one stay, also where a run was resumed")
  func kept() throws {
    let keys = ["checkpoint.every_steps=1", "checkpoint.keep=1"]
    let calls = Calls()
    #expect(run.train(ranks: 2, set: keys) { call, _ in calls.add(call) }.isFinished)
    try run.clear()
    let beforeFifth = try #require(calls.all.last { $0.rank == 0 && $0.sums == 4 })
    let outcome = run.train(ranks: 2, set: keys) { call, requests in
      if Place(call) == Place(beforeFifth) { requests.requestStop() }
    }
    #expect(!outcome.isFinished && run.savedSteps == [4, 5], "\(outcome.messages)")
    #expect(run.train(ranks: 2, resume: .newest, set: keys).isFinished)
    #expect(run.savedSteps == [4, 5, 6], "the one it was resumed from stays too")
    #expect(try SavedCheckpoint(run.directory + "/latest.h5") == last)
    #expect(try SavedCheckpoint(run.directory + "/best.h5") == best)
  }

  @Test("a damaged checkpoint is left out and named; the one before it leads to the same bytes")
  func damaged() throws {
    #expect(run.train(ranks: 2, set: ["checkpoint.every_steps=1"]).isFinished)
    for step in [5, 6] {
      var bytes = try bytes(of: run.path(step: step))
      bytes[bytes.count / 2] ^= 1
      try Data(bytes).write(to: URL(filePath: run.path(step: step)))
    }
    #expect(run.validSteps == [1, 2, 3, 4])
    let resumed = run.train(ranks: 2, resume: .newest)
    #expect(resumed.isFinished)
    for step in [5, 6] {
      #expect(resumed.lines[0].contains { $0.contains("damaged") && $0.contains(run.path(step: step)) })
    }
    #expect(try run.sessions().map(\.after_step) == [0, 4])
    #expect(try run.checkpoint(TinyRun.steps) == last && run.log() == log)
  }
}
