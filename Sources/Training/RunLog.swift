// What a run shows: lines for people on rank 0, metrics.jsonl for programs, event files for TensorBoard.
import Artifacts
import Batches
import Collectives
import Files
import Formatting
import Foundation
import RunFile
import TensorBoard

/// The log of one run; silent on all ranks but the first.
package final class RunLog {
  /// Takes lines for people.
  package typealias Output = @Sendable (String) -> Void

  private let output: Output
  private let isRoot: Bool
  private let directory: String
  private let everySteps: Int
  private let tensorboard: Bool
  private var metrics: MetricsFile?
  private var events: TensorBoardWriter?
  private var started = ContinuousClock.now
  private var firstStep = 0
  private var totalSteps = 0
  private var examplesPerStep = 0
  /// Tokens of the steps since the start.
  private var tokens = 0

  /// - Parameters:
  ///   - directory: where metrics.jsonl and run.yaml lie, next to the checkpoints.
  ///   - everySteps: steps between progress lines; metrics.jsonl gets every step.
  ///   - tensorboard: whether event files are written next to metrics.jsonl.
  package init(
    output: @escaping Output, isRoot: Bool, directory: String = ".", everySteps: Int = 1, tensorboard: Bool = false
  ) {
    self.output = output
    self.isRoot = isRoot
    self.directory = directory
    self.everySteps = max(1, everySteps)
    self.tensorboard = tensorboard
  }

  /// One line for people.
  package func note(_ line: String) { if isRoot { output(line) } }

  /// Saves the resolved run, notes the start and opens metrics.jsonl after the step that the run goes on from, with
  /// what the state knows of steps that the file lacks.
  /// - Throws: `FileError`.
  func start(run yaml: String, session: RunSession, from state: TrainingState) throws {
    guard isRoot else { return }
    try writeAtomically(Data(yaml.utf8), to: directory + "/run.yaml")
    metrics = try MetricsFile(
      directory: directory, after: session.after_step, history: state.history,
      validationRepeats: state.validationDue)
    try session.append(to: directory)
    if tensorboard { events = try TensorBoardWriter(directory: directory, after: session.after_step) }
  }

  func begin(step: Int, of total: Int, examplesPerStep: Int) {
    (started, firstStep, totalSteps, self.examplesPerStep) = (.now, step, total, examplesPerStep)
  }

  /// One finished step: a line of metrics.jsonl always, a progress line where it is due.
  func step(_ report: StepReport, epoch: Int, isLast: Bool) throws {
    guard isRoot else { return }
    tokens += report.inputTokens
    let elapsed = (ContinuousClock.now - started) / .seconds(1)
    let done = Double(report.step - firstStep)
    let (examples, tokens) = (done * Double(examplesPerStep) / elapsed, Double(tokens) / elapsed)
    var entry = MetricsEntry(step: report.step)
    (entry.epoch, entry.loss, entry.learning_rate) = (epoch, report.loss, report.learningRate)
    (entry.gradient_norm, entry.tokens, entry.rows) = (report.gradientNorm, report.tokens, examplesPerStep)
    (entry.compute_seconds, entry.reduce_seconds) = (report.computeSeconds, report.reduceSeconds)
    (entry.rows_per_second, entry.tokens_per_second) = (examples, tokens)
    try metrics?.append(entry)
    try events?.add(
      step: report.step,
      [
        "train/loss": report.loss, "train/learning_rate": report.learningRate,
        "train/gradient_norm": report.gradientNorm, "train/rows_per_second": examples,
      ])
    guard isLast || report.step == firstStep + 1 || report.step % everySteps == 0 else { return }
    let eta = elapsed / done * Double(totalSteps - report.step)
    note(
      "step \(report.step)/\(totalSteps)  loss \(fixed(report.loss, 4))  lr \(scientific(report.learningRate))  "
        + "grad norm \(scientific(report.gradientNorm))  \(fixed(examples, 2)) examples/s  \(fixed(tokens, 0)) tokens/s  "
        + "eta \(duration(eta))")
  }

  /// - Parameter parts: the validation of each file, empty where there is one.
  func validation(
    step: Int, loss: Double, examples: Int, tokens: Int, parts: [ValidatedPart], isBest: Bool
  ) throws {
    guard isRoot else { return }
    var entry = MetricsEntry(step: step)
    (entry.validation_loss, entry.validation_rows, entry.validation_tokens) = (loss, examples, tokens)
    entry.validationLosses = parts.map { FileLoss(name: $0.name, loss: $0.loss) }
    try metrics?.append(entry)
    try events?.add(step: step, ["validation/loss": loss])
    for part in parts { try events?.add(step: step, ["validation/loss/\(part.name)": part.loss]) }
    let byFile = parts.map { "\($0.name) \(fixed($0.loss, 4)) over \($0.examples)" }.joined(separator: ", ")
    note(
      "validation at step \(step): loss \(fixed(loss, 4)) over \(examples) examples"
        + (byFile.isEmpty ? "" : " (\(byFile))") + (isBest ? ", the best so far" : ""))
  }

  /// The end of a run: lines for people and summary.json.
  /// - Parameters:
  ///   - traffic: what the communicator counted at its calls, to hold against the summary's promise.
  ///   - ignoredKeys: keys of training rows that were left out.
  ///   - features: what all ranks read from the feature cache, where there is one.
  /// - Throws: `FileError`.
  func finish(
    checkpoint: String, best: TrainingState.Best?, traffic: Traffic, features: RunSummary.VisionFeatures?,
    ignoredKeys: [(key: String, count: Int)]
  ) throws {
    guard isRoot else { return }
    let elapsed = (ContinuousClock.now - started) / .seconds(1)
    try RunSummary(
      steps: totalSteps, seconds: elapsed, allReduce: .init(bytes: traffic.sumBytes, calls: traffic.sumCalls),
      visionFeatures: features,
      ignoredKeys: ignoredKeys.isEmpty ? nil : Dictionary(ignoredKeys.map { ($0.key, $0.count) }, uniquingKeysWith: +)
    ).write(to: directory)
    note("finished \(totalSteps) steps in \(duration(elapsed)); last checkpoint \(checkpoint)")
    note("reduced \(traffic.sumBytes) bytes in \(traffic.sumCalls) calls")
    if let features { note("vision features read from the cache: \(features.read), computed: \(features.computed)") }
    if let best { note("lowest validation loss \(fixed(best.loss, 4)) at step \(best.step)") }
  }

  /// Counts finished items of a longer piece of work and reports now and then how far it is.
  func counter(_ name: String, of total: Int) -> Counter { Counter(name: name, total: total, log: self) }

  struct Counter {
    let name: String
    let total: Int
    let log: RunLog
    private var reported = ContinuousClock.now

    init(name: String, total: Int, log: RunLog) { (self.name, self.total, self.log) = (name, total, log) }

    /// At most a line in ten seconds.
    mutating func note(_ done: Int) {
      guard ContinuousClock.now - reported > .seconds(10) else { return }
      reported = .now
      log.note("\(name): \(done)/\(total) examples")
    }
  }
}

/// The validation of the examples of one file among several.
struct ValidatedPart {
  let name: String
  let examples: Int
  /// Mean NLL over the supervised tokens.
  let loss: Double
}

extension TrainingState {
  /// The steps made, and the best validation, as lines of metrics.jsonl with the fields that a checkpoint has.
  fileprivate var history: [MetricsEntry] {
    let steps = metrics.map { step in
      var entry = MetricsEntry(step: step.step)
      (entry.loss, entry.learning_rate) = (step.loss, step.learningRate)
      (entry.gradient_norm, entry.tokens) = (step.gradientNorm, step.tokens)
      return entry
    }
    guard let best else { return steps }
    var validation = MetricsEntry(step: best.step)
    validation.validation_loss = best.loss
    return steps + [validation]
  }
}

extension RunSession {
  /// A job's start after some steps.
  init(_ job: Job, afterStep: Int) {
    self.init(
      afterStep: afterStep, worldSize: job.communicator.size, threads: job.run.model.threads,
      precision: job.base.precision.rawValue)
  }
}
