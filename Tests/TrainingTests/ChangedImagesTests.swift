// Images that are overwritten during a run or between two starts: no step is made of other pixels under the same name.
import Collectives
import Foundation
import TestSupport
import Testing
import TinyModels

@testable import Training

@Suite("Images that change")
struct ChangedImagesTests {
  /// Another picture of the same size.
  private static func overwrite(_ run: TinyRun) throws {
    try run.folder.write(TinyRun.image(2), TinyExamples.png(width: 56, height: 56, seed: 77))
  }

  @Test("between two starts: the run does not go on, and says why", arguments: [1, 2])
  func resumed(ranks: Int) throws {
    let run = try TinyRun(["checkpoint.every_steps=2"], validation: [])
    #expect(run.train(ranks: ranks, set: ["training.steps=6"]).isFinished)
    let picture = try bytes(of: run.folder.path(TinyRun.image(2)))
    try FileManager.default.removeItem(atPath: run.path(step: 6))
    try Self.overwrite(run)
    for message in run.train(ranks: ranks, resume: .newest).messages {
      #expect(message?.contains("step-00000004.h5: images of ") == true, "\(message ?? "finished")")
      #expect(message?.contains("train.jsonl have other bytes than when it was saved (images_digest ") == true)
    }
    try run.folder.write(TinyRun.image(2), picture)
    #expect(run.train(ranks: ranks, resume: .newest).isFinished)
  }

  @Test("during a run: it ends at the next use, naming the image", arguments: [1, 2])
  func during(ranks: Int) throws {
    let run = try TinyRun(validation: [])
    let outcome = run.train(ranks: ranks) { call, _ in
      if call.rank == 0, call.sums == 2, call.others == 0 { try Self.overwrite(run) }
    }
    let messages = outcome.messages.compactMap(\.self).filter { $0.contains(TinyRun.image(2)) }
    #expect(messages.contains { $0.contains("SHA-256") }, "\(outcome.messages)")
    #expect(run.savedSteps.isEmpty)
  }
}
