// What goes wrong on one rank ends all of them, with words that lead to it, and costs no earlier checkpoint.
import Adapters
import Collectives
import Files
import Foundation
import TestSupport
import Testing
import TinyModels

@testable import Training

@Suite("Errors of one rank")
struct RankErrorTests {
  /// Checkpoints up to `step`, whole, and a resumed run that ends with the bytes of one without an error.
  private func expectResumable(_ run: TinyRun, from step: Int, ranks: Int) throws {
    #expect(run.savedSteps == Array(1..<step + 1) && run.validSteps == run.savedSteps && run.partialFiles.isEmpty)
    let resumed = run.train(ranks: ranks, resume: .newest)
    #expect(resumed.isFinished, "\(resumed.messages)")
    let found = (try run.checkpoint(TinyRun.steps), try run.log())
    try run.clear()
    #expect(run.train(ranks: ranks).isFinished)
    #expect(try found.0 == run.checkpoint(TinyRun.steps) && found.1 == run.log())
  }

  /// The rank that has the example names it; with MPI it then aborts the job, as `imagelora` does with every
  /// error that is one rank's alone.
  @Test("an image that can no longer be read in the middle of a run names the example; nobody waits", arguments: 1...3)
  func unreadableExample(ranks: Int) throws {
    let run = try TinyRun(["checkpoint.every_steps=1"])
    let sampler = try run.onRanks(1) { job, _ in job.sampler() }[0].get()
    // The first step after the first that takes an example of image 3.
    let step = try #require((2...TinyRun.steps).first { !sampler.examples(step: $0 - 1).allSatisfy { $0 / 2 != 3 } })
    let image = run.folder.path(TinyRun.image(3))
    let kept = try bytes(of: image)
    let outcome = run.train(ranks: ranks) { call, _ in
      if call.rank == 0, call.sums == step - 1, call.others == 0 { try FileManager.default.removeItem(atPath: image) }
    }
    let own = outcome.errors.compactMap(\.self).filter { !($0 is RankGroupError) }
    #expect(own.count == 1, "\(outcome.messages)")
    let message = try #require(own.first.map { "\($0)" })
    #expect(message.contains("image-3-") && message.contains(image), "\(message)")
    for others in outcome.messages where others != message {
      #expect(others?.hasSuffix("which threw: \(message)") == true, "\(others ?? "finished")")
    }
    try run.folder.write(TinyRun.image(3), kept)
    try expectResumable(run, from: step - 1, ranks: ranks)
  }

  @Test("a validation image that can no longer be read fails on all ranks alike", arguments: [1, 2, 3])
  func unreadableValidation(ranks: Int) throws {
    let name = "validation.png"
    let line = TinyExamples.line("v-lost", images: [name], question: "What?", answer: "lost")
    let run = try TinyRun(["checkpoint.every_steps=1"], validation: TinyRun.validation + [line], images: [name])
    let image = run.folder.path(name)
    let kept = try bytes(of: image)
    let outcome = run.train(ranks: ranks) { call, _ in
      if call.rank == 0, call.sums == 3, call.others == 0 { try FileManager.default.removeItem(atPath: image) }
    }
    let failure = try #require(outcome.errors[0] as? RankFailure)
    #expect(failure.message.contains("v-lost") && failure.message.contains(image), "\(failure)")
    for error in outcome.errors { #expect(error as? RankFailure == failure) }
    try run.folder.write(name, kept)
    try expectResumable(run, from: 3, ranks: ranks)
  }

  @Test("a checkpoint that cannot be written ends the run and leaves the earlier ones", arguments: [1, 2, 3], [2, 6])
  func failingSave(ranks: Int, step: Int) throws {
    let run = try TinyRun(["checkpoint.every_steps=1"], validation: [])
    let path = run.path(step: step)
    // The file cannot be made where a folder has its temporary name.
    let outcome = run.train(ranks: ranks) { call, _ in
      guard call.rank == 0, call.sums == step, call.others == 0 else { return }
      try FileManager.default.createDirectory(atPath: path + ".partial", withIntermediateDirectories: false)
    }
    let message = try #require(outcome.messages[0])
    #expect(message.contains("\(path): not saved"), "\(message)")
    for others in outcome.messages[1...] {
      // After the last step the others have nothing to wait for.
      if step == TinyRun.steps { #expect(others == nil) } else { #expect(others?.hasSuffix(message) == true) }
    }
    try FileManager.default.removeItem(atPath: path + ".partial")
    try expectResumable(run, from: step - 1, ranks: ranks)
  }

  struct Lost: Error, CustomStringConvertible { let description = "the network is gone" }

  @Test("a collective that fails on one rank ends all, whichever it is", arguments: 0..<3)
  func failingCollective(rank: Int) throws {
    for (sums, others) in [(0, 1), (0, 3), (1, 0), (2, 1), (2, 2), (4, 0)] {
      let run = try TinyRun(["checkpoint.every_steps=1"])
      let outcome = run.train(ranks: 3) { call, _ in
        if call.rank == rank, call.sums == sums, call.others == others { throw Lost() }
      }
      #expect(outcome.errors[rank] is Lost, "\(outcome.messages)")
      for other in 0..<3 where other != rank {
        #expect(outcome.messages[other]?.hasSuffix("which threw: the network is gone") == true, "\(outcome.messages)")
      }
      #expect(run.validSteps == run.savedSteps && run.savedSteps == Array(1..<max(1, sums)))
    }
  }

  @Test("ranks that are given other runs report it before the first step")
  func otherRuns() throws {
    let run = try TinyRun()
    let results = runOnRanks(3) { communicator in
      let seed = communicator.rank == 2 ? "training.seed=5" : "training.seed=4"
      return try run.open(communicator, set: [seed]).digest
    }
    for message in messages(results) {
      #expect(message?.hasPrefix("rank 2 ") == true && message?.contains("run.yaml") == true, "\(message ?? "opened")")
    }
  }
}
