// A base that is overwritten while a run uses it: no checkpoint is saved of the time since.
import Artifacts
import Collectives
import Foundation
import TestSupport
import Testing
import TinyModels

@testable import Training

@Suite("A base that changes during a run")
struct ChangedBaseTests {
  /// Writes a byte of the weights in place.
  private static func overwrite(_ model: String) throws {
    let path = model + "/model.safetensors"
    usleep(20_000)
    let file = try FileHandle(forUpdating: URL(filePath: path))
    let end = try file.seekToEnd()
    try file.seek(toOffset: end - 2)
    try file.write(contentsOf: [0x12])
    try file.close()
  }

  @Test("training ends on all ranks with one line, and the checkpoints before stay", arguments: [1, 2, 3])
  func training(ranks: Int) throws {
    let run = try TinyRun(["checkpoint.every_steps=1"], validation: [])
    let outcome = run.train(ranks: ranks) { [model = run.modelFolder] call, _ in
      if call.rank == 0, call.sums == 3, call.others == 0 { try Self.overwrite(model) }
    }
    #expect(run.savedSteps == [1, 2] && run.validSteps == [1, 2] && run.partialFiles.isEmpty)
    for error in outcome.errors {
      let failure = try #require(error as? RankFailure)
      #expect(failure.size == 1 && failure.status == 65)
      #expect(
        failure.message.hasPrefix("\(run.modelFolder)/model.safetensors: changed while it was in use"), "\(failure)")
    }
  }

  @Test("a probe ends without scores", arguments: [1, 2])
  func probe(ranks: Int) throws {
    let run = try TinyRun()
    let results = run.onRanks(ranks) { [model = run.modelFolder] job, signals in
      if job.communicator.rank == 0 { try Self.overwrite(model) }
      return try job.influence(shard: .whole, log: RunLog(output: { _ in }, isRoot: false), signals: signals)
    }
    for message in messages(results) {
      #expect(message?.contains("model.safetensors: changed while it was in use") == true, "\(message ?? "scores")")
    }
  }
}
