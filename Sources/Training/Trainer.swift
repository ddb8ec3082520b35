// The main job: select heads, train, validate, checkpoint, resume; the loop that users start.
import Adapters
import Collectives
import Datasets
import Digests
import Foundation
import QwenVL
import RunFile
import Units

/// Where a run starts.
package enum Resume: Sendable, Equatable {
  case no
  /// From the newest sound checkpoint of the run's folder, or from the start where there is none.
  case newest
  case from(path: String)
}

/// A training run on this rank.
package final class Trainer {
  private let job: Job
  private let log: RunLog
  private let signals: SignalRequests
  private let store: CheckpointStore
  private let totalSteps: Int
  private let schedule: LearningRateSchedule
  private let selection: Adapters.HeadSelection?
  private let stepper: Stepper
  private var metrics: [TrainingState.StepMetrics] = []
  private var best: TrainingState.Best?
  private var validationDue = false

  /// Prepares a run: opens checkpoints, selects heads (by a probe where the run asks for it), starts or restores the
  /// adapter and its optimizer.
  /// - Throws: whatever stops a run before its first step, the same on every rank.
  /// - Important: Collective.
  package init(_ job: Job, resume: Resume, output: @escaping RunLog.Output, signals: SignalRequests) throws {
    self.job = job
    self.signals = signals
    let run = job.run
    guard run.training.globalBatch >= job.communicator.size else {
      throw TrainingError.smallBatch(batch: run.training.globalBatch, ranks: job.communicator.size)
    }
    let total = run.training.steps ?? job.sampler().steps(epochs: run.training.epochs ?? 1)
    totalSteps = total
    schedule = LearningRateSchedule(
      peak: run.training.learningRate, shape: LearningRateSchedule.Shape(run.training.schedule),
      warmupSteps: run.training.warmup(totalSteps: total), totalSteps: total)
    let store = CheckpointStore(directory: run.checkpoint.directory.resolved, keep: run.checkpoint.keep)
    self.store = store
    let isRoot = job.communicator.rank == 0
    let log = RunLog(
      output: output, isRoot: isRoot, directory: store.directory, everySteps: run.logging.everySteps,
      tensorboard: run.logging.tensorboard)
    self.log = log
    let options = AdamW.Options(
      beta1: run.training.beta1, beta2: run.training.beta2, epsilon: run.training.epsilon,
      weightDecay: run.training.weightDecay)
    let found = try together(job.communicator) { () throws -> (state: TrainingState?, notes: [String]) in
      if isRoot { try store.prepare() }
      return try Self.restored(resume, store: store, job: job, options: options)
    }
    let state = found.state
    try agree(
      on: state.map { "\($0.step) \(SHA256.hex($0.parameters.withUnsafeBytes(Array.init)))" } ?? "none",
      what: "newest checkpoint in \(store.directory)", job.communicator)
    found.notes.forEach(log.note)
    let (configuration, selection) =
      try state.map { ($0.adapter, $0.selection) } ?? chooseAdapter(job, log: log, signals: signals)
    self.selection = selection
    let adapter: any Adapter<Float> = configuration.adapter(job.base.configuration.text)
    if let state {
      adapter.load(state.parameters)
      metrics = state.metrics
      best = state.best
      validationDue = state.validationDue && job.validation != nil
    } else if let start = job.start {
      try start.require(configuration)
      adapter.load(start.parameters)
    } else {
      adapter.initialize(seed: run.training.seed)
    }
    stepper = Stepper(
      job: job, adapter: adapter, optimizer: state?.optimizer ?? AdamW(count: adapter.layout.count, options: options))
    try together(job.communicator) {
      if isRoot { try log.start(run: run.yaml, session: RunSession(job, afterStep: metrics.last?.step ?? 0)) }
    }
    log.summary(
      Summary(job: job, adapter: adapter, selection: selection, totalSteps: total, startStep: stepper.optimizer.step))
  }

  /// The state to go on from, checked against this run.
  private static func restored(
    _ resume: Resume, store: CheckpointStore, job: Job, options: AdamW.Options
  ) throws -> (state: TrainingState?, notes: [String]) {
    let path: String
    var notes: [String] = []
    switch resume {
    case .no:
      if let step = try store.steps().first {
        throw CheckpointError(
          file: store.path(step: step),
          problem: "the folder holds checkpoints of an earlier run; continue with --resume auto or name another folder "
            + "in checkpoint.directory")
      }
      return (nil, [])
    case .from(let given):
      try CheckpointStore.verify(given)
      path = given
    case .newest:
      let (newest, refused) = try store.newest()
      notes = refused.map { "left out \($0)" }
      guard let newest else { return (nil, notes + ["no checkpoint in \(store.directory), starting from step 0"]) }
      path = newest
    }
    let state = try TrainingState(
      reading: path, text: job.base.configuration.text, baseDigest: job.base.digest, options: options)
    guard state.runDigest == job.digest else {
      throw CheckpointError(
        file: path,
        problem: "it belongs to another run (run_digest \(state.runDigest.prefix(12))..., this run is "
          + "\(job.digest.prefix(12))...): keys, data or pixel limits changed; compare /run/yaml in it, or start a new "
          + "folder in checkpoint.directory")
    }
    let (trained, here) = (state.provenance, TrainingState.Provenance(of: job.base))
    guard trained == here else {
      throw CheckpointError(
        file: path,
        problem:
          "pictures were resized to \(trained.minPixels) to \(trained.maxPixels) pixels, here they are resized to "
          + "\(here.minPixels) to \(here.maxPixels): put the preprocessor_config.json of the run's start back")
    }
    notes.append("resumed from \(path) at step \(state.step)")
    return (state, notes)
  }

  /// Trains to the last step.
  /// - Throws: `TrainingError.interrupted` behind a checkpoint if a signal asked to stop; `TrainingError.notFinite`.
  /// - Important: Collective.
  package func run() throws {
    let run = job.run
    let validationInterval = run.training.validationEverySteps ?? run.checkpoint.everySteps
    var lastSave = ContinuousClock.now
    log.begin(step: stepper.optimizer.step, of: totalSteps, rowsPerStep: run.training.globalBatch)
    if validationDue {
      guard case .done = try validate() else { throw TrainingError.interrupted(step: stepper.optimizer.step) }
      try save()
    }
    while stepper.optimizer.step < totalSteps {
      let report = try stepper.run(
        learningRate: schedule.learningRate(step: stepper.optimizer.step + 1), requests: requests(since: lastSave))
      let last = report.step == totalSteps
      metrics.append(TrainingState.StepMetrics(report))
      try log.step(report, epoch: epoch, last: last)
      var stop = report.requests.stop && !last
      var improved = false
      validationDue = job.validation != nil && (last || report.step % validationInterval == 0)
      if validationDue, !stop {
        switch try validate() {
        case .interrupted: stop = !last
        case .done(let isBest): improved = isBest
        }
      }
      if last || stop || improved || report.requests.save || report.step % run.checkpoint.everySteps == 0 {
        try save()
        lastSave = .now
      }
      if stop { throw TrainingError.interrupted(step: report.step) }
    }
    log.finish(
      checkpoint: store.path(step: stepper.optimizer.step), best: best, traffic: job.communicator.traffic,
      features: try job.featureTally())
  }

  /// Epoch of the rows that the next step takes first.
  private var epoch: Int { stepper.sampler.epoch(step: stepper.optimizer.step) }

  /// Signals of this rank; rank 0's clock besides, so that checkpoints by the minute need no message of their own.
  private func requests(since lastSave: ContinuousClock.Instant) -> Requests {
    var requests = signals.take()
    if job.communicator.rank == 0, let minutes = job.run.checkpoint.everyMinutes,
      (ContinuousClock.now - lastSave) / .seconds(60) >= minutes
    {
      requests.save = true
    }
    return requests
  }

  private enum Validation {
    case done(isBest: Bool)
    /// A signal to stop came meanwhile.
    case interrupted
  }

  private func validate() throws -> Validation {
    guard let rows = job.validation else { return .done(isBest: false) }
    guard let losses = try rowLosses(job, rows, adapter: stepper.adapter, signals: signals) else { return .interrupted }
    if let bad = losses.firstIndex(where: { !$0.nll.isFinite }) {
      throw TrainingError.validationNotFinite(step: stepper.optimizer.step, row: rows.rows[bad].id)
    }
    validationDue = false
    let tokens = losses.reduce(0) { $0 + $1.tokens }
    let loss = losses.reduce(0) { $0 + $1.nll } / Double(tokens)
    let isBest = loss < best?.loss ?? .infinity
    if isBest { best = TrainingState.Best(step: stepper.optimizer.step, loss: loss) }
    try log.validation(step: stepper.optimizer.step, loss: loss, rows: losses.count, tokens: tokens, isBest: isBest)
    return .done(isBest: isBest)
  }

  /// Rank 0 writes; the other ranks go on, and end with it if it fails.
  private func save() throws {
    guard job.communicator.rank == 0 else { return }
    let step = stepper.optimizer.step
    let state = TrainingState(
      step: step, epoch: epoch, consumedRows: step * job.run.training.globalBatch,
      worldSize: job.communicator.size, seed: job.run.training.seed, runDigest: job.digest, runYAML: job.run.yaml,
      provenance: TrainingState.Provenance(of: job.base), adapter: stepper.adapter.configuration,
      parameters: stepper.adapter.parameters.values, optimizer: stepper.optimizer, selection: selection,
      metrics: metrics, best: best, validationDue: validationDue)
    do {
      try job.communicator.activity.during("saving \(store.path(step: step))") {
        try store.save(state, layout: stepper.adapter.layout)
      }
    } catch {
      throw SavingError(description: "\(store.path(step: step)): not saved: \(error)")
    }
    log.note("saved \(store.path(step: step))")
  }
}

extension TrainingState.StepMetrics {
  init(_ report: StepReport) {
    self.init(
      step: report.step, loss: report.loss, learningRate: report.learningRate, gradientNorm: report.gradientNorm,
      tokens: report.tokens)
  }
}
