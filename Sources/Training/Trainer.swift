// The loop that users start: optimizer steps, validation, checkpoints.
import Adapters
import Artifacts
import Collectives
import Files
import RunFile

/// A training run on this rank.
package final class Trainer {
  private let job: Job
  private let log: RunLog
  private let signals: SignalRequests
  private let store: CheckpointStore
  /// Rank 0's, on the folder of checkpoints.
  private let lock: FolderLock?
  private let totalSteps: Int
  private let schedule: LearningRateSchedule
  let stepper: Stepper
  /// What a checkpoint holds; its parameters are taken from the adapter when it is saved.
  private var state: TrainingState

  /// Prepares a run: opens checkpoints, selects heads (by a probe where the run asks for it), starts or restores the
  /// adapter and its optimizer.
  /// - Throws: whatever stops a run before its first step, the same on every rank.
  /// - Important: Collective.
  package init(
    _ job: Job, resume: Resume, takesOver: Bool = false, output: @escaping RunLog.Output, signals: SignalRequests
  ) throws {
    self.job = job
    self.signals = signals
    let run = job.run
    guard run.training.globalBatch >= job.communicator.size else {
      throw TrainingError.smallBatch(batch: run.training.globalBatch, ranks: job.communicator.size)
    }
    totalSteps = job.totalSteps
    schedule = LearningRateSchedule(run.training, totalSteps: totalSteps)
    let isRoot = job.communicator.rank == 0
    store = CheckpointStore(directory: run.checkpoint.directory.resolved, keep: run.checkpoint.keep) { line in
      output("note       \(line)")
    }
    let folder = store
    lock = try withErrorAgreement(job.communicator) {
      guard isRoot else { return nil }
      try folder.prepare()
      return try FolderLock(folder: folder.directory, takesOver: takesOver)
    }
    log = RunLog(
      output: output, isRoot: isRoot, directory: store.directory,
      everySteps: run.logging.everySteps, tensorboard: run.logging.tensorboard)
    state = try job.startingState(resume, store: store, log: log, signals: signals)
    let adapter: any Adapter<Float> = state.adapter.adapter(job.base.configuration.text)
    adapter.load(state.parameters)
    stepper = Stepper(job: job, adapter: adapter)
    try withErrorAgreement(job.communicator) {
      try log.start(
        run: run.yaml, session: RunSession(job, afterStep: state.metrics.last?.step ?? 0), from: state)
    }
    Summary(job: job, state: state, totalSteps: totalSteps).lines.forEach(log.note)
  }

  /// Trains to the last step.
  /// - Throws: `TrainingError.interrupted` after a checkpoint if a signal asked to stop; `TrainingError.notFinite`.
  /// - Important: Collective.
  package func run() throws {
    defer { lock?.release() }
    let checkpoint = job.run.checkpoint
    let validationInterval = job.run.training.validationEverySteps ?? checkpoint.everySteps
    var lastSave = ContinuousClock.now
    log.begin(step: state.step, of: totalSteps, examplesPerStep: job.run.training.globalBatch)
    if state.validationDue {
      guard case .done = try validate() else { throw TrainingError.interrupted(step: state.step) }
      try save()
    }
    let watchdog = job.communicator.watchdog
    while state.step < totalSteps {
      watchdog.enter("step \(state.step + 1)")
      let report = try stepper.step(
        &state.optimizer, learningRate: schedule.learningRate(step: state.step + 1),
        requests: requests(since: lastSave))
      watchdog.measured(step: report.computeSeconds + report.reduceSeconds)
      let isLast = report.step == totalSteps
      record(report)
      try log.step(report, epoch: state.epoch, isLast: isLast)
      var stop = report.requests.stop && !isLast
      var improved = false
      state.validationDue = job.validation != nil && (isLast || report.step % validationInterval == 0)
      if state.validationDue, !stop {
        switch try validate() {
        // Also at the last step: the run is not finished before its last validation.
        case .interrupted: stop = true
        case .done(let isBest): improved = isBest
        }
      }
      if isLast || stop || improved || report.requests.save || report.step % checkpoint.everySteps == 0 {
        try save()
        lastSave = .now
      }
      if stop { throw TrainingError.interrupted(step: report.step) }
    }
    try log.finish(
      checkpoint: store.path(step: state.step), best: state.best, traffic: job.communicator.traffic,
      features: try job.featureTally(), ignoredKeys: job.training.ignoredKeys)
  }

  /// Takes a finished step into the run's history.
  private func record(_ report: StepReport) {
    state.metrics.append(
      TrainingState.StepMetrics(
        step: report.step, loss: report.loss, learningRate: report.learningRate, gradientNorm: report.gradientNorm,
        tokens: report.tokens))
    state.epoch = stepper.sampler.epoch(step: report.step)
    state.consumedExamples = report.step * job.run.training.globalBatch
  }

  /// Signals of this rank, and rank 0's clock, so that checkpoints by the minute need no message of their own.
  private func requests(since lastSave: ContinuousClock.Instant) -> Requests {
    var requests = signals.take()
    if job.communicator.rank == 0,
      (ContinuousClock.now - lastSave) / .seconds(60) >= job.run.checkpoint.everyMinutes
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
    guard let examples = job.validation else { return .done(isBest: false) }
    job.communicator.watchdog.enter("the validation at step \(state.step)")
    guard let losses = try job.losses(of: examples, adapter: stepper.adapter, signals: signals) else {
      return .interrupted
    }
    if let bad = losses.firstIndex(where: { !$0.nll.isFinite }) {
      throw TrainingError.validationNotFinite(step: state.step, example: examples.examples[bad].id)
    }
    state.validationDue = false
    let tokens = losses.reduce(0) { $0 + $1.tokens }
    let loss = losses.reduce(0) { $0 + $1.nll } / Double(tokens)
    let isBest = loss < state.best?.loss ?? .infinity
    if isBest { state.best = TrainingState.Best(step: state.step, loss: loss) }
    try log.validation(step: state.step, loss: loss, examples: losses.count, tokens: tokens, isBest: isBest)
    return .done(isBest: isBest)
  }

  /// Rank 0 writes; the other ranks go on, and end with it if it fails. No rank's base may have changed until then.
  private func save() throws {
    job.communicator.watchdog.enter("the checkpoint of step \(state.step)")
    let digest = try stepper.requireSameState(state.optimizer)
    try withErrorAgreement(job.communicator) { try job.base.requireUnchanged() }
    guard job.communicator.rank == 0 else { return }
    let path = store.path(step: state.step)
    state.parameters = stepper.adapter.parameters.values
    do {
      try lock?.requireHeld()
      // Memory may change while it is written: what is in the file is compared with what all ranks had.
      try job.communicator.watchdog.during("saving \(path)") {
        try store.save(state) { file in
          let saved = StateDigest(
            try file.parameters(layout: state.layout), try file.optimizer(layout: state.layout))
          guard saved == digest else {
            throw FileError(
              file.path, "holds other numbers than all ranks had, the memory of rank 0 may be faulty",
              remedy: "leave its host out and continue with --resume auto", fault: .machine)
          }
        }
      }
    } catch {
      // Whoever has taken the folder over sweeps it.
      try lock?.requireHeld()
      throw FileError(path, "not saved", cause: error, fault: .machine)
    }
    log.note("saved \(store.path(step: state.step))")
  }
}
