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
  /// Takes a line for each step in its place; nil: steps are lines of `output`.
  private let progress: Output?
  private let isRoot: Bool
  private let directory: String
  private let everySteps: Int
  private let tensorboard: Bool
  private var metrics: MetricsFile?
  private var events: TensorBoardWriter?
  private var started = ContinuousClock.now
  /// Time since then that no step took: validations.
  private var paused = Duration.zero
  private var firstStep = 0
  private var totalSteps = 0
  private var examplesPerStep = 0
  /// Cores of all ranks, and FLOPs a second of this one's GEMMs, in 10^9.
  private var cores = 1
  private var gflops = 0.0
  /// Tokens of the steps since the start, and this rank's FLOPs.
  private var tokens = 0
  private var flops = 0.0

  /// - Parameters:
  ///   - directory: where metrics.jsonl and run.yaml lie, next to the checkpoints.
  ///   - everySteps: steps between progress lines; metrics.jsonl gets every step.
  ///   - tensorboard: whether event files are written next to metrics.jsonl.
  package init(
    output: @escaping Output, progress: Output? = nil, isRoot: Bool, directory: String = ".", everySteps: Int = 1,
    tensorboard: Bool = false
  ) {
    self.output = output
    self.progress = isRoot ? progress : nil
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

  /// - Parameter gflops: what a GEMM of the model's shape comes to on this rank, in 10^9 FLOPs a second.
  func begin(step: Int, of total: Int, _ job: Job, gflops: Double) {
    (started, paused, firstStep, totalSteps) = (.now, .zero, step, total)
    examplesPerStep = job.run.training.globalBatch
    (cores, self.gflops) = (job.communicator.size * job.run.model.threads, gflops)
  }

  /// Does what is no part of a step and does not count in what is said of steps a second.
  func pause<Value>(_ work: () throws -> Value) rethrows -> Value {
    let start = ContinuousClock.now
    defer { paused += .now - start }
    return try work()
  }

  /// One finished step: a line of metrics.jsonl always, a progress line where it is due.
  func step(_ report: StepReport, epoch: Int, isLast: Bool) throws {
    guard isRoot else { return }
    tokens += report.inputTokens
    flops += report.flops
    let elapsed = (ContinuousClock.now - started - paused) / .seconds(1)
    let done = Double(report.step - firstStep)
    let (examples, tokens) = (done * Double(examplesPerStep) / elapsed, Double(tokens) / elapsed)
    var entry = MetricsEntry(step: report.step)
    (entry.epoch, entry.loss, entry.learning_rate) = (epoch, report.loss, report.learningRate)
    (entry.gradient_norm, entry.tokens, entry.rows) = (report.gradientNorm, report.tokens, examplesPerStep)
    (entry.compute_seconds, entry.reduce_seconds) = (report.computeSeconds, report.reduceSeconds)
    let (perCore, utilization) = (tokens / Double(cores), flops / elapsed / (gflops * 1e9))
    (entry.rows_per_second, entry.tokens_per_second) = (examples, tokens)
    (entry.tokens_per_second_per_core, entry.utilization) = (perCore, utilization)
    try metrics?.append(entry)
    try events?.add(
      step: report.step,
      [
        "train/loss": report.loss, "train/learning_rate": report.learningRate,
        "train/gradient_norm": report.gradientNorm, "train/rows_per_second": examples,
        "train/tokens_per_second_per_core": perCore, "train/utilization": utilization,
      ])
    guard progress != nil || isLast || report.step == firstStep + 1 || report.step % everySteps == 0 else { return }
    let eta = (ContinuousClock.now - started) / .seconds(1) / done * Double(totalSteps - report.step)
    let line =
      "step \(report.step)/\(totalSteps)  loss \(fixed(report.loss, 4))  lr \(scientific(report.learningRate))  "
      + "grad norm \(scientific(report.gradientNorm))  \(fixed(examples, 2)) examples/s  \(fixed(tokens, 0)) tokens/s  "
      + "\(fixed(perCore, 0)) a core  \(percent(utilization, 0)) utilization  eta \(duration(eta))"
    if let progress, !isLast { progress(line) } else { note(line) }
  }

  /// - Parameter start: the validation before the first step, nil where this is it or there was none.
  func validation(_ found: Validation, step: Int, start: TrainingState.Validated?, isBest: Bool) throws {
    guard isRoot else { return }
    var entry = MetricsEntry(step: step)
    (entry.validation_loss, entry.validation_rows, entry.validation_tokens) = (found.loss, found.examples, found.tokens)
    entry.validationLosses = found.parts.map { FileLoss(name: $0.name, loss: $0.loss) }
    entry.validation_answers = found.score?.answered
    entry.take(found.score?.metric)
    try metrics?.append(entry)
    try events?.add(step: step, ["validation/loss": found.loss])
    for part in found.parts { try events?.add(step: step, ["validation/loss/\(part.name)": part.loss]) }
    if let metric = found.score?.metric { try events?.add(step: step, ["validation/\(metric.name)": metric.value]) }
    let byFile = found.parts.map { "\($0.name) \(fixed($0.loss, 4)) over \($0.examples)" }.joined(separator: ", ")
    var line = "validation at step \(step): loss \(fixed(found.loss, 4)) over \(found.examples) examples"
    if !byFile.isEmpty { line += " (\(byFile))" }
    if let start { line += ", \(signed(found.loss - start.loss, 4)) since step 0" }
    if let score = found.score {
      line += "; \(score.metric.words) \(percent(score.metric.value)) of \(plural(score.answered, "answer"))"
      if let before = start?.score { line += ", \(signed(100 * (score.metric.value - before.value), 1)) points" }
    }
    note(line + (isBest ? ", the best so far" : step == 0 ? ", before training" : ""))
  }

  /// The end of a run: lines for people and summary.json.
  /// - Parameters:
  ///   - state: after the last step.
  ///   - checkpoint: the path of the last one.
  ///   - traffic: what the communicator counted at its calls, to hold against the summary's promise.
  ///   - ignoredKeys: keys of training rows that were left out.
  ///   - features: what all ranks read from the feature cache, where there is one.
  /// - Throws: `FileError`.
  func finish(
    _ state: TrainingState, checkpoint: String, traffic: Traffic, features: RunSummary.VisionFeatures?,
    ignoredKeys: [(key: String, count: Int)]
  ) throws {
    guard isRoot else { return }
    let elapsed = (ContinuousClock.now - started) / .seconds(1)
    try RunSummary(
      steps: state.step, seconds: elapsed, allReduce: .init(bytes: traffic.sumBytes, calls: traffic.sumCalls),
      visionFeatures: features,
      ignoredKeys: ignoredKeys.isEmpty ? nil : Dictionary(ignoredKeys.map { ($0.key, $0.count) }, uniquingKeysWith: +)
    ).write(to: directory)
    if state.step < totalSteps, let best = state.best {
      note("stopped early: no validation since step \(best.step) was better (training.patience)")
    }
    note("finished \(state.step) steps in \(duration(elapsed)); last checkpoint \(checkpoint)")
    note("reduced \(traffic.sumBytes) bytes in \(traffic.sumCalls) calls")
    if let features { note("vision features read from the cache: \(features.read), computed: \(features.computed)") }
    if let best = state.best { note(Self.words(of: best, start: state.start)) }
  }

  /// The best validation, held against the one before training.
  private static func words(of best: TrainingState.Validated, start: TrainingState.Validated?) -> String {
    let loss = "validation loss \(fixed(best.loss, 4))"
    var line = best.score.map { "best \($0.words) \(percent($0.value)), \(loss)," } ?? "lowest \(loss)"
    line += " at step \(best.step)"
    guard let start else { return line }
    line += "; before training " + (start.score.map { "\(percent($0.value)), " } ?? "") + fixed(start.loss, 4)
    return best.isBetter(than: start) ? line : line + ": no step was better than that"
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

extension TrainingState {
  /// The steps made, the validation before them and the best one, as lines of metrics.jsonl with the fields that a
  /// checkpoint has.
  fileprivate var history: [MetricsEntry] {
    let steps = metrics.map { step in
      var entry = MetricsEntry(step: step.step)
      (entry.loss, entry.learning_rate) = (step.loss, step.learningRate)
      (entry.gradient_norm, entry.tokens) = (step.gradientNorm, step.tokens)
      return entry
    }
    return steps
      + [start, best].compactMap(\.self).map { validated in
        var entry = MetricsEntry(step: validated.step)
        entry.validation_loss = validated.loss
        entry.take(validated.score)
        return entry
      }
  }
}

extension MetricsEntry {
  fileprivate mutating func take(_ score: TrainingState.Score?) {
    switch score.flatMap({ BestBy(rawValue: $0.name) }) {
    case .exactMatch: validation_exact_match = score?.value
    case .pointInBox: validation_point_in_box = score?.value
    case .iou: validation_iou = score?.value
    case .score: validation_score = score?.value
    case .loss, nil: break
    }
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
