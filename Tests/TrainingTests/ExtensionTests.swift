// Going on from a checkpoint with other keys of training: allowed on request, recorded, and the same on any ranks.
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Extending a run")
struct ExtensionTests {
  private let constant = ["training.schedule=constant", "training.warmup_steps=0", "checkpoint.every_steps=1"]

  @Test("more steps under a constant rate: the bytes of a run that was so long from the start")
  func longer() throws {
    let whole = try TinyRun(constant + ["training.steps=5"], validation: [])
    #expect(whole.train().isFinished)
    let run = try TinyRun(constant, validation: [])
    #expect(run.train(set: ["training.steps=3"]).isFinished)
    let refused = run.train(ranks: 2, resume: .newest, set: ["training.steps=5"])
    #expect(refused.messages[0]?.contains("training.steps is 3 there and 5 here") == true, "\(refused.messages)")
    #expect(refused.messages[0]?.contains("--extend") == true && refused.messages[0] == refused.messages[1])
    let extended = run.train(ranks: 2, resume: .newest, extends: true, set: ["training.steps=5"])
    #expect(extended.isFinished, "\(extended.messages)")
    #expect(extended.lines[0].contains { $0.contains("extended   after step 3: training.steps from 3 to 5") })
    #expect(try run.checkpoint(5).adapter == whole.checkpoint(5).adapter)
    #expect(try run.checkpoint(5).expAvgSq == whole.checkpoint(5).expAvgSq)
    #expect(try run.log().map(\.step) == Array(1...5))
    // From here on it is a run of five steps, and shorter than its checkpoint it can be too.
    #expect(run.train(resume: .newest, set: ["training.steps=5"]).isFinished)
    #expect(run.train(resume: .newest, extends: true, set: ["training.steps=4"]).isFinished)
  }

  @Test("another batch, rate and schedule: every example comes once an epoch, the same bytes on any ranks and resumed")
  func otherBatch() throws {
    let wider = [
      "training.global_batch=3", "training.steps=null", "training.epochs=2", "training.learning_rate=0.1",
      "training.schedule=cosine",
    ]
    let runs = try [1, 2].map { ranks in
      let run = try TinyRun(constant)
      #expect(run.train(ranks: ranks, set: ["training.steps=2"]).isFinished)
      let extended = run.train(ranks: 3 - ranks, resume: .newest, extends: true, set: wider)
      #expect(extended.isFinished, "\(extended.messages)")
      return run
    }
    // Twelve examples, of which two steps took ten: five more steps of three reach the end of the second epoch.
    #expect(runs[0].savedSteps.last == 7)
    let last = try runs[0].checkpoint(7)
    #expect(try runs[1].checkpoint(7) == last && last.epoch == 2)
    let resumed = runs[1].train(resume: .from(path: runs[0].path(step: 4)), set: wider)
    #expect(resumed.isFinished, "\(resumed.messages)")
    #expect(try runs[1].checkpoint(7) == last)
    let examples = try runs[0].onRanks(1, set: wider) { job, signals in
      let trainer = try Trainer(job, resume: .newest, output: { _ in }, signals: signals)
      return (2..<7).flatMap { trainer.stepper.sampler.examples(step: $0) }
    }[0].get()
    let before = try runs[0].onRanks(1) { job, _ in (0..<2).flatMap { job.sampler().examples(step: $0) } }[0].get()
    let all = before + examples
    #expect(all.count == 25 && Set(all[..<12]).count == 12 && Set(all[12..<24]).count == 12)
  }

  @Test("keys of anything else, and other examples, are refused by name")
  func refused() throws {
    let run = try TinyRun(constant)
    #expect(run.train(set: ["training.steps=2"]).isFinished)
    for (set, words) in [
      (["training.steps=4", "training.seed=9"], "training.seed is 4 there and 9 here"),
      (["training.steps=4", "adapter.rank=3"], "adapter.rank is 2 there and 3 here"),
      (["training.steps=4", "training.beta1=0.8"], "training.beta1 is 0.9 there and 0.8 here"),
      (["training.steps=4", "model.min_pixels=3136"], "model.min_pixels is not given there and 3136 here"),
    ] {
      let outcome = run.train(resume: .newest, extends: true, set: set)
      #expect(outcome.messages[0]?.contains(words) == true, "\(outcome.messages)")
      #expect(outcome.messages[0]?.contains("those that --extend may not change") == true)
    }
    let path = run.folder.path("train.jsonl")
    try run.folder.write("other.jsonl", Array(Data(contentsOf: URL(filePath: path)).dropLast(3) + Data("x\"}]}".utf8)))
    for set in [["training.steps=2"], ["training.steps=4"]] {
      let other = ["data.train=\(run.folder.path("other.jsonl"))", "data.bad_rows=skip"]
      let outcome = run.train(resume: .newest, extends: true, set: set + other)
      #expect(outcome.messages[0]?.contains("training examples") == true, "\(outcome.messages)")
    }
    #expect(run.savedSteps == [1, 2])
  }
}
