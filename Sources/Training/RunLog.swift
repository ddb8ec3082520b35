// What a run shows: lines for people on rank 0, metrics.jsonl for programs, event files for TensorBoard.
import Collectives
import Foundation
import RunFile
import Units

/// The log of one run; silent on all ranks but the first.
public final class RunLog {
  /// Takes lines for people.
  public typealias Output = @Sendable (String) -> Void

  private let output: Output
  private let isRoot: Bool
  private let directory: String
  private let everySteps: Int
  private let tensorboard: Bool
  private var metrics: FileHandle?
  private var events: TensorBoardWriter?
  private var started = ContinuousClock.now
  private var firstStep = 0
  private var totalSteps = 0
  private var rowsPerStep = 0

  /// - Parameters:
  ///   - directory: where metrics.jsonl and run.yaml lie, beside the checkpoints.
  ///   - everySteps: steps between progress lines; metrics.jsonl gets every step.
  ///   - tensorboard: whether event files are written beside metrics.jsonl.
  public init(
    output: @escaping Output, isRoot: Bool, directory: String = ".", everySteps: Int = 1, tensorboard: Bool = false
  ) {
    self.output = output
    self.isRoot = isRoot
    self.directory = directory
    self.everySteps = max(1, everySteps)
    self.tensorboard = tensorboard
  }

  /// One line for people.
  public func note(_ line: String) { if isRoot { output(line) } }

  /// Saves the resolved run, notes the start and opens metrics.jsonl, dropping lines behind the step that the run goes
  /// on from.
  func start(run yaml: String, session: RunSession) throws {
    guard isRoot else { return }
    let (path, step) = (directory + "/metrics.jsonl", session.after_step)
    try write(Data(yaml.utf8), to: directory + "/run.yaml")
    let lines = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? []
    let kept = lines.filter { line in
      let entry = try? JSONDecoder().decode(Entry.self, from: Data(line.utf8))
      return entry.map { $0.step <= step && step > 0 } ?? false
    }
    try write(Data(kept.map { $0 + "\n" }.joined().utf8), to: path)
    metrics = FileHandle(forWritingAtPath: path)
    _ = try metrics?.seekToEnd()
    try session.append(to: directory)
    if tensorboard { events = try TensorBoardWriter(directory: directory, after: step) }
  }

  private struct Entry: Codable {
    var step: Int
    var epoch: Int?
    var loss: Double?
    var learning_rate: Double?
    var gradient_norm: Double?
    var tokens: Int?
    var rows: Int?
    var compute_seconds: Double?
    var reduce_seconds: Double?
    var rows_per_second: Double?
    var validation_loss: Double?
    var validation_rows: Int?
    var validation_tokens: Int?
  }

  private func append(_ entry: Entry) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let line = try encoder.encode(entry) + Data("\n".utf8)
    do {
      try metrics?.write(contentsOf: line)
    } catch {
      throw SavingError(description: "\(directory)/metrics.jsonl: cannot be written: \(error.localizedDescription)")
    }
  }

  /// What a run is, before its first step.
  func summary(_ summary: Summary) { summary.lines.forEach(note) }

  func begin(step: Int, of total: Int, rowsPerStep: Int) {
    (started, firstStep, totalSteps, self.rowsPerStep) = (.now, step, total, rowsPerStep)
  }

  /// One finished step: a line of metrics.jsonl always, a progress line where it is due.
  func step(_ report: StepReport, epoch: Int, last: Bool) throws {
    guard isRoot else { return }
    let elapsed = (ContinuousClock.now - started) / .seconds(1)
    let done = Double(report.step - firstStep)
    let rate = done * Double(rowsPerStep) / elapsed
    try append(
      Entry(
        step: report.step, epoch: epoch, loss: report.loss, learning_rate: report.learningRate,
        gradient_norm: report.gradientNorm, tokens: report.tokens, rows: rowsPerStep,
        compute_seconds: report.computeSeconds, reduce_seconds: report.reduceSeconds, rows_per_second: rate))
    try events?.add(
      step: report.step,
      [
        "train/loss": report.loss, "train/learning_rate": report.learningRate,
        "train/gradient_norm": report.gradientNorm, "train/rows_per_second": rate,
      ])
    guard last || report.step == firstStep + 1 || report.step % everySteps == 0 else { return }
    let eta = elapsed / done * Double(totalSteps - report.step)
    note(
      "step \(report.step)/\(totalSteps)  loss \(fixed(report.loss, 4))  lr \(scientific(report.learningRate))  "
        + "grad norm \(scientific(report.gradientNorm))  \(fixed(rate, 2)) rows/s  eta \(duration(eta))")
  }

  func validation(step: Int, loss: Double, rows: Int, tokens: Int, isBest: Bool) throws {
    guard isRoot else { return }
    try append(Entry(step: step, validation_loss: loss, validation_rows: rows, validation_tokens: tokens))
    try events?.add(step: step, ["validation/loss": loss])
    note("validation at step \(step): loss \(fixed(loss, 4)) over \(rows) rows\(isBest ? ", the best so far" : "")")
  }

  /// - Parameters:
  ///   - traffic: what the communicator counted at its calls, to hold against the summary's promise.
  ///   - features: what all ranks read from the feature cache, where there is one.
  func finish(checkpoint: String, best: TrainingState.Best?, traffic: Traffic, features: FeatureStore.Tally?) {
    let elapsed = (ContinuousClock.now - started) / .seconds(1)
    note("finished \(totalSteps) steps in \(duration(elapsed)); last checkpoint \(checkpoint)")
    note("reduced \(traffic.sumBytes) bytes in \(traffic.sumCalls) calls")
    if let features { note("features read from the cache: \(features.read), computed: \(features.computed)") }
    if let best { note("lowest validation loss \(fixed(best.loss, 4)) at step \(best.step)") }
  }

  /// Counts finished items of a longer piece of work and says now and then how far it is.
  func counter(_ name: String, of total: Int) -> Counter { Counter(name: name, total: total, log: self) }

  struct Counter {
    let name: String
    let total: Int
    let log: RunLog
    private var done = 0
    private var said = ContinuousClock.now

    init(name: String, total: Int, log: RunLog) { (self.name, self.total, self.log) = (name, total, log) }

    /// At most a line in ten seconds.
    mutating func advance() {
      done += 1
      guard ContinuousClock.now - said > .seconds(10) else { return }
      said = .now
      log.note("\(name): \(done)/\(total) rows of rank 0")
    }
  }

  private func write(_ data: Data, to path: String) throws {
    do {
      try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw CheckpointError(file: path, problem: "cannot be written: \(error.localizedDescription)")
    }
  }
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

/// A number as 1.2e-05.
func scientific(_ value: Double) -> String { String(format: "%.2e", value) }

/// Seconds as 59s, 12m05s or 3h20m.
func duration(_ seconds: Double) -> String {
  let s = Int(seconds.rounded())
  if s < 60 { return "\(s)s" }
  return s < 3600 ? String(format: "%dm%02ds", s / 60, s % 60) : String(format: "%dh%02dm", s / 3600, s / 60 % 60)
}
