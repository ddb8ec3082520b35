// A training run of a tiny model on ranks in threads: the one place where these tests start the loop.
import Adapters
import Collectives
import Foundation
import HuggingFace
import RunFile
import Synchronization
import TestSupport
import TinyModels

@testable import Training

/// A run file with its model and data in a folder, started as often as a test likes.
final class TinyRun: Sendable {
  /// Optimizer steps of a whole run, and examples of a step.
  static let (steps, batch) = (6, 5)
  /// Runs before each collective of each rank; the requests are those of that rank.
  typealias Hook = @Sendable (_ call: ThreadCommunicator.Call, _ requests: SignalRequests) throws -> Void

  let folder: TemporaryFolder
  private let model: TinyModel
  private let settings: [String]
  /// The folder of checkpoints and logs.
  var directory: String { folder.path("checkpoints") }
  var modelFolder: String { model.folder }

  /// - Parameters:
  ///   - settings: keys of the run file, as `training.steps=3`.
  ///   - training: lines of training data; absent: five images with two questions each and two examples of text.
  ///   - validation: lines of validation data; empty: no validation.
  ///   - images: names of more images, none of which `training` and `validation` have unless stated.
  ///   - spoiled: characters whose embeddings are these numbers.
  init(
    _ settings: [String] = [], family: ModelConfiguration.Family = .qwen2_5_vl, training: [String]? = nil,
    validation: [String]? = nil, images: [String] = [],
    spoiled: [Character: Float] = [:]
  ) throws {
    folder = try TemporaryFolder()
    model = try TinyModel(family, spoiled: spoiled)
    for seed in 0..<5 {
      try folder.write(Self.image(seed), TinyExamples.png(width: 56, height: 56 + 28 * (seed % 2), seed: seed))
    }
    for name in images { try folder.write(name, TinyExamples.png(width: 56, height: 56, seed: 9)) }
    try folder.write("train.jsonl", Array((training ?? Self.training).joined(separator: "\n").utf8))
    let validation = validation ?? Self.validation
    try folder.write("validation.jsonl", Array(validation.joined(separator: "\n").utf8))
    let file = """
      model: {path: \(model.folder), precision: fp32, feature_memory_mib: 0}
      data: {train: train.jsonl, validation: \(validation.isEmpty ? "null" : "validation.jsonl")}
      adapter: {rank: 2, alpha: 4, heads: {select: all}}
      training: {steps: \(Self.steps), global_batch: \(Self.batch), learning_rate: 0.4, schedule: linear, seed: 4,
        rate_factors: {A: 1, B: 1, gamma: 1},
        weight_decay: 0.1, validation_every_steps: 2}
      checkpoint: {every_steps: 1000, keep: 1000}
      logging: {every_steps: 1}
      """
    try folder.write("run.yaml", Array(file.utf8))
    self.settings = settings
  }

  /// Removes all that earlier starts left, so that the next one begins from nothing in the same folder.
  func clear() throws { try FileManager.default.removeItem(atPath: directory) }

  /// The name of an image in the folder.
  static func image(_ seed: Int) -> String { "\(seed).png" }

  /// Answers of different lengths, so that a mean of means is another number.
  static let training =
    (0..<5).flatMap { seed in
      ["Where?", "Which colour has it?"].enumerated().map { index, question in
        TinyExamples.line(
          "image-\(seed)-\(index)", images: [image(seed)], question: question,
          answer: String(repeating: "\(seed)", count: 1 + 3 * index + seed))
      }
    }
    + ["2+2", "Capital of France?"].enumerated().map { index, question in
      TinyExamples.line("text-\(index)", question: question, answer: ["4", "Paris, as everyone knows"][index])
    }

  static let validation = [
    TinyExamples.line("v-0", images: [image(0)], question: "What?", answer: "a box"),
    TinyExamples.line("v-1", images: [image(4)], question: "What?", answer: "nothing"),
    TinyExamples.line("v-2", images: [image(4)], question: "Who?", answer: "me"),
    TinyExamples.line("v-text", question: "1+1", answer: "2"),
  ]

  /// What came of a start of the run.
  struct Outcome: Sendable {
    /// What each rank threw, nil for one that reached the end.
    let errors: [(any Error)?]
    /// What each rank printed.
    let lines: [[String]]
    var messages: [String?] { errors.map { error in error.map { "\($0)" } } }
    var isFinished: Bool { errors.allSatisfy { $0 == nil } }
  }

  /// Takes a line about a slow rank, as `Watchdog.watch` reports it.
  typealias Report = @Sendable (_ rank: Int, _ line: String) -> Void

  /// Starts or resumes the run and waits for its end.
  /// - Parameters:
  ///   - set: keys for this start alone.
  ///   - flippedRank: the rank on which a bit of the adapter flips before the first step.
  ///   - watch: the stall timeout in seconds, from before the first step on, and what takes the reports.
  func train(
    ranks: Int = 1, resume: Resume = .no, extends: Bool = false, set: [String] = [],
    watch: (stallTimeout: Double, report: Report)? = nil,
    flippedRank: Int? = nil,
    before hook: @escaping Hook = { _, _ in }
  ) -> Outcome {
    let lines = Lines(ranks: ranks)
    let results = onRanks(ranks, set: set, before: hook) { job, signals in
      let rank = job.communicator.rank
      if let watch {
        job.communicator.watchdog.watch(
          StallRules(timeout: watch.stallTimeout, limit: .off), rank: rank, size: ranks,
          report: { watch.report(rank, $0) }, end: { _ in })
      }
      defer { job.communicator.watchdog.end(isJobOver: false) }
      let trainer = try Trainer(
        job, resume: resume, extends: extends, output: { lines.add($0, rank) }, signals: signals)
      if rank == flippedRank {
        let numbers = trainer.stepper.adapter.parameters
        numbers.base[3] = Float(bitPattern: numbers.base[3].bitPattern ^ 1)
      }
      try trainer.run()
    }
    return Outcome(
      errors: results.map { if case .failure(let error) = $0 { error } else { nil } }, lines: lines.all)
  }

  /// Opens the run on each rank, as `train` does, for work of a test's own.
  func onRanks<Value: Sendable>(
    _ ranks: Int, set: [String] = [], before hook: @escaping Hook = { _, _ in },
    _ body: @escaping @Sendable (Job, SignalRequests) throws -> Value
  ) -> [Result<Value, any Error>] {
    let requests = (0..<ranks).map { _ in SignalRequests(saving: [], stopping: []) }
    return runOnRanks(ranks, before: { try hook($0, requests[$0.rank]) }) { [self] communicator in
      try body(open(communicator, set: set), requests[communicator.rank])
    }
  }

  /// Opens the run on a rank, as `onRanks` does.
  func open(_ communicator: ThreadCommunicator, set: [String]) throws -> Job {
    let run = try RunConfiguration(path: folder.path("run.yaml"), overrides: settings + set)
    return try Job(run, communicator: communicator, warn: { _ in })
  }

  /// One step of a new adapter outside of the loop.
  struct RefusedStep: Sendable {
    let error: String?
    /// Whether adapter and optimizer are, bit for bit, what they were before.
    let isUnchanged: Bool
  }

  /// Runs the first step on each rank.
  func firstStep(ranks: Int) -> [Result<RefusedStep, any Error>] {
    onRanks(ranks) { job, signals in
      let log = RunLog(output: { _ in }, isRoot: false)
      let adapter = try job.newAdapter(log: log, signals: signals).adapter
      let stepper = Stepper(job: job, adapter: adapter, sampler: job.sampler())
      var state = OptimizerState(count: adapter.layout.count)
      let (numbers, optimizer) = (adapter.parameters.values.map(\.bitPattern), state)
      var error: String?
      do { _ = try stepper.step(&state, learningRate: 0.1, requests: .none) } catch let thrown { error = "\(thrown)" }
      let isUnchanged = adapter.parameters.values.map(\.bitPattern) == numbers && state == optimizer
      return RefusedStep(error: error, isUnchanged: isUnchanged)
    }
  }

  private final class Lines: Sendable {
    private let lines: Mutex<[[String]]>
    init(ranks: Int) { lines = Mutex(Array(repeating: [], count: ranks)) }
    func add(_ line: String, _ rank: Int) { lines.withLock { $0[rank].append(line) } }
    var all: [[String]] { lines.withLock { $0 } }
  }
}
