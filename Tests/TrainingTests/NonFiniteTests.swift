// Numbers that are not finite stop all ranks before anything is updated or saved, and name the example.
import Foundation
import TestSupport
import Testing
import TinyModels

@testable import Training

@Suite("Losses and gradients that are not finite")
struct NonFiniteTests {
  /// After the examples of every run, one whose question has a character with a spoiled embedding.
  private func spoiled(
    _ value: Float, isText: Bool, ranks: Int
  ) throws -> (run: TinyRun, step: Int, outcome: TinyRun.Outcome) {
    let images = isText ? [] : [TinyRun.image(2)]
    let bad = TinyExamples.line("bad", images: images, question: "Which~one?", answer: "a")
    let run = try TinyRun(
      ["checkpoint.every_steps=1"], training: TinyRun.training + [bad], validation: [], spoiled: ["~": value])
    let sampler = try run.onRanks(1) { job, _ in job.sampler() }[0].get()
    let index = TinyRun.training.count
    let step = try #require((1...TinyRun.steps).first { sampler.examples(step: $0 - 1).contains(index) })
    return (run, step, run.train(ranks: ranks))
  }

  /// The costliest example is rank 0's; one of text, the cheapest, is another's where there are three.
  @Test(
    "a loss of one rank refuses the step on all",
    arguments: [(Float.nan, false), (.infinity, false), (-.infinity, true), (.nan, true)], [1, 2, 3])
  func loss(spoiling: (value: Float, isText: Bool), ranks: Int) throws {
    let (run, step, outcome) = try spoiled(spoiling.value, isText: spoiling.isText, ranks: ranks)
    // One message on all ranks: it names the step, the example and the one rank that had it.
    let message = try #require(outcome.messages[0])
    #expect(outcome.messages == Array(repeating: message, count: ranks))
    for error in outcome.errors {
      guard case .notFinite(step, _) = error as? TrainingError else {
        Issue.record("\(message)")
        continue
      }
    }
    #expect(message.contains("step \(step): ") && message.contains("bad") && message.contains("(rank "), "\(message)")
    #expect(run.savedSteps == Array(1..<step) && run.validSteps == run.savedSteps && run.partialFiles.isEmpty)
    #expect(try run.log().map(\.step) == Array(1..<step), "the refused step is not logged")
    if step > 1 { #expect(try run.checkpoint(step - 1).steps == (1..<step).map(Int64.init)) }
  }

  /// All examples but one are of text, which an Image-LoRA learns nothing from; a huge alpha makes that one's gradient
  /// overflow, while B is 0 and so the loss that of the base.
  @Test("a gradient of one rank refuses the step on all, and changes neither adapter nor optimizer", arguments: 1...3)
  func gradient(ranks: Int) throws {
    let lines = ["a", "b", "c", "d"].map { TinyExamples.line("text-\($0)", question: $0, answer: "\($0)!") }
    let bad = TinyExamples.line("only-image", images: [TinyRun.image(0)], question: "What?", answer: String(repeating: "it ", count: 40))
    for alpha in ["4", "3e38"] {
      let run = try TinyRun(["adapter.alpha=\(alpha)", "adapter.gamma=1"], training: lines + [bad], validation: [])
      let steps = try run.firstStep(ranks: ranks).map { try $0.get() }
      for step in steps {
        #expect(step.error == steps[0].error)
        #expect((step.error == nil) == (alpha == "4") && step.isUnchanged == (alpha != "4"))
      }
      guard alpha != "4" else { continue }
      let message = try #require(steps[0].error)
      #expect(message.contains("step 1: ") && message.contains("only-image (rank "), "\(message)")
      let outcome = run.train(ranks: ranks)
      #expect(outcome.messages == Array(repeating: message, count: ranks))
      #expect(try run.savedSteps.isEmpty && run.log().isEmpty)
    }
  }

  @Test("a validation loss stops all ranks before the first step, with nothing saved", arguments: [1, 2, 3])
  func validation(ranks: Int) throws {
    let bad = TinyExamples.line("v-bad", images: [TinyRun.image(1)], question: "Which~one?", answer: "a")
    let run = try TinyRun(
      ["checkpoint.every_steps=1"], validation: TinyRun.validation + [bad], spoiled: ["~": .nan])
    let outcome = run.train(ranks: ranks)
    #expect(
      outcome.errors.allSatisfy { $0 as? TrainingError == .validationNotFinite(step: 0, example: "v-bad") },
      "\(outcome.messages)")
    #expect(try run.savedSteps.isEmpty && run.partialFiles.isEmpty && run.log().isEmpty)
    // The same again for whoever starts it again, and still nothing saved.
    let resumed = run.train(ranks: ranks, resume: .newest)
    #expect(resumed.messages == outcome.messages && run.savedSteps.isEmpty)
  }
}
