// Training on several files and on a split: the same bytes on any number of ranks and through any stop.
import Batches
import Foundation
import TestSupport
import TinyModels
import Testing

@testable import Training

@Suite("Several files of a run")
struct DataFilesTests {
  /// Two files of training and two of validation; examples of both have the same ids.
  private func run(_ settings: String...) throws -> TinyRun {
    let run = try TinyRun(settings)
    try run.folder.write(
      "more.jsonl",
      Array(TinyRun.training.suffix(4).joined(separator: "\n").utf8))
    try run.folder.write("other.jsonl", Array(TinyRun.validation.prefix(2).joined(separator: "\n").utf8))
    return run
  }

  /// Paths of overrides start where the process runs, so they are absolute.
  private func mixture(_ run: TinyRun) -> [String] {
    let path = run.folder.path
    return [
      "data.train=[\(path)/train.jsonl, {path: \(path)/more.jsonl, weight: 2.5}]",
      "data.validation=[\(path)/validation.jsonl, {path: \(path)/other.jsonl, name: others}]",
    ]
  }

  @Test("mixed files give the same bytes on 1, 2 and 3 ranks and after a stop at any step")
  func mixture() throws {
    let run = try run("checkpoint.every_steps=1")
    let files = mixture(run)
    #expect(run.train(ranks: 1, set: files).messages == [nil])
    let (last, log) = (try run.checkpoint(TinyRun.steps), try run.log())
    try run.clear()
    for (ranks, step) in [(2, 2), (3, 4)] {
      let stopped = run.train(ranks: ranks, set: files) { call, requests in
        if call.rank == 0, call.sums == step { requests.requestStop() }
      }
      #expect(!stopped.isFinished && run.savedSteps.last ?? 0 < TinyRun.steps)
      let resumed = run.train(ranks: 5 - ranks, resume: .newest, set: files)
      #expect(resumed.isFinished, "\(resumed.messages)")
      #expect(try run.checkpoint(TinyRun.steps) == last && run.log() == log)
      try run.clear()
    }
  }

  @Test("the losses of files are reported beside that of all, and add up to it")
  func validationLosses() throws {
    let run = try run()
    let outcome = run.train(set: mixture(run))
    #expect(outcome.lines[0].contains { $0.hasPrefix("file       train: 12 examples, weight 1.0, 12 an epoch") })
    #expect(outcome.lines[0].contains { $0.hasPrefix("file       more: 4 examples, weight 2.5, 10 an epoch") })
    let pattern =
      /validation at step 2: loss [0-9.]+ over 6 examples \(validation [0-9.]+ over 4, others [0-9.]+ over 2\)/
    #expect(outcome.lines[0].contains { $0.contains(pattern) })
    struct Line: Decodable {
      let whole: Double?
      let validation, others: Double?
      enum CodingKeys: String, CodingKey {
        case whole = "validation_loss"
        case validation = "validation_loss/validation"
        case others = "validation_loss/others"
      }
    }
    let text = try bytes(of: run.directory + "/metrics.jsonl")
    let lines = try text.split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode(Line.self, from: Data($0))
    }
    let validations = lines.filter { $0.whole != nil }
    #expect(validations.count == 4)
    for line in validations {
      let (whole, first, second) = (try #require(line.whole), try #require(line.validation), try #require(line.others))
      // Answers of 5, 7, 2 and 1 bytes and of 5 and 7, each with the end of its turn and a line feed.
      #expect(abs(whole - (first * 23 + second * 16) / 39) < 1e-9)
    }
  }

  @Test("weights and names are part of the run's identity, and a list of one path is that path")
  func identity() throws {
    let run = try run("checkpoint.every_steps=1")
    let path = run.folder.path
    #expect(run.train().isFinished)
    #expect(run.train(resume: .newest, set: ["data.train=[{path: \(path)/train.jsonl, name: x}]"]).isFinished)
    for other in ["[{path: \(path)/train.jsonl, weight: 2}]", "[\(path)/train.jsonl, \(path)/more.jsonl]"] {
      let outcome = run.train(resume: .newest, set: ["data.train=\(other)"])
      #expect(outcome.messages[0]?.contains("it belongs to another run") == true, "\(outcome.messages)")
    }
  }

  @Test("a split trains on one side and validates on the other, on any number of ranks")
  func split() throws {
    let settings = ["data.validation=null", "data.validation_fraction=0.4", "data.validation_seed=2"]
    let run = try TinyRun(settings)
    var states: [SavedCheckpoint] = []
    for ranks in 1...3 {
      let outcome = run.train(ranks: ranks)
      #expect(outcome.isFinished, "\(outcome.messages)")
      states.append(try run.checkpoint(TinyRun.steps))
      try run.clear()
    }
    #expect(states[0] == states[1] && states[0] == states[2] && states[0].bestStep != nil)
    let sides = run.onRanks(1) { job, _ in
      func ids(_ data: PreparedExamples) throws -> [String] { try data.examples(0..<data.count).map(\.id) }
      return (try ids(job.training), try job.validation.map(ids) ?? [])
    }
    let (training, validation) = try #require(try sides.first?.get())
    #expect(training.count + validation.count == 12 && !training.isEmpty && !validation.isEmpty)
    for seed in 0..<5 {
      let own = training.filter { $0.hasPrefix("image-\(seed)") }.count
      #expect(own == 0 || own == 2, "the two questions about an image are on one side")
    }
  }
}
