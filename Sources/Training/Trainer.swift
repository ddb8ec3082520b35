// The loop that users start: optimizer steps, validation, checkpoints.
import Adapters
import Artifacts
import Collectives
import Files
import RunFile
import Synchronization

/// The step of the newest checkpoint, for whoever asks meanwhile.
private final class Newest: Sendable {
  let step = Atomic(0)
}

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
  /// Whether it was said that the loss does not move.
  private var isStagnationSaid = false
  let stepper: Stepper
  private let newest = Newest()
  /// What a checkpoint holds; its parameters are taken from the adapter when it is saved.
  private var state: TrainingState

  /// Prepares a run: opens checkpoints, selects heads (by a probe where the run asks for it), starts or restores the
  /// adapter and its optimizer.
  /// - Parameters:
  ///   - extends: whether a checkpoint of a run with other keys of training may be resumed.
  ///   - progress: takes a line for each step, in place of those that `output` would get of some; nil: there is no
  ///     place for it.
  /// - Throws: whatever stops a run before its first step, the same on every rank.
  /// - Important: Collective.
  package init(
    _ job: Job, resume: Resume, extends: Bool = false, takesOver: Bool = false, output: @escaping RunLog.Output,
    progress: RunLog.Output? = nil,
    signals: SignalRequests
  ) throws {
    self.job = job
    self.signals = signals
    let run = job.run
    guard run.training.globalBatch >= job.communicator.size else {
      throw TrainingError.smallBatch(batch: run.training.globalBatch, ranks: job.communicator.size)
    }
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
      output: output, progress: progress, isRoot: isRoot, directory: store.directory,
      everySteps: run.logging.everySteps, tensorboard: run.logging.tensorboard)
    state = try job.startingState(resume, extends: extends, store: store, log: log, signals: signals)
    let adapter: any Adapter<Float> = state.adapter.adapter(
      job.base.configuration.text, job.base.configuration.vision)
    adapter.load(state.parameters)
    stepper = Stepper(job: job, adapter: adapter, sampler: job.sampler(of: state))
    totalSteps = job.totalSteps(stepper.sampler)
    schedule = LearningRateSchedule(
      run.training, peak: run.learningRate(job.base.configuration.text), totalSteps: totalSteps)
    try withErrorAgreement(job.communicator) {
      try log.start(
        run: run.yaml, session: RunSession(job, afterStep: state.metrics.last?.step ?? 0), from: state)
    }
    Summary(job: job, state: state, totalSteps: totalSteps).lines.forEach(log.note)
    newest.step.store(state.step, ordering: .relaxed)
    if isRoot {
      signals.announceStop { [newest, ranks = job.communicator.size] in
        output(Self.farewell(after: newest.step.load(ordering: .relaxed), ranks: ranks))
      }
    }
  }

  /// Trains to the last step.
  /// - Throws: `TrainingError.interrupted` after a checkpoint if a signal asked to stop; `TrainingError.notFinite`.
  /// - Important: Collective.
  package func run() throws {
    defer { lock?.release() }
    let checkpoint = job.run.checkpoint
    var lastSave = ContinuousClock.now
    if state.validationDue {
      guard case .done = try validate() else { throw TrainingError.interrupted(step: state.step) }
      if state.step > 0 { try save() }
    }
    if state.step < totalSteps { stepper.readyMemory(after: state.step) }
    log.begin(step: state.step, of: totalSteps, job, gflops: job.gemmRate())
    let watchdog = job.communicator.watchdog
    while state.step < totalSteps, !isOutOfPatience {
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
        switch try log.pause(validate) {
        // Also at the last step: the run is not finished before its last validation.
        case .interrupted: stop = true
        case .done(let isBest): improved = isBest
        }
      }
      if isLast || stop || improved || isOutOfPatience || report.requests.save
        || report.step % checkpoint.everySteps == 0
      {
        try save()
        lastSave = .now
      }
      if stop { throw TrainingError.interrupted(step: report.step) }
    }
    try log.finish(
      state, checkpoint: store.path(step: state.step), traffic: job.communicator.traffic,
      features: try job.featureTally(), ignoredKeys: job.training.ignoredKeys)
  }

  /// What is said where a signal asks for an end, at once: how long that takes and what may be lost.
  private static func farewell(after step: Int, ranks: Int) -> String {
    let saved = step > 0 ? "the newest checkpoint is that of step \(step)" : "there is no checkpoint yet"
    let kill =
      ranks > 1
      ? "; Ctrl-C kills the ranks of mpirun after 2 s, so that later steps may be lost and computed again: "
        + "kill -USR2 of mpirun's process waits, and cluster/mpirun.sh does so"
      : ""
    return "stopping   the step at hand is finished and saved first; \(saved)\(kill)"
  }

  /// Steps between validations.
  private var validationInterval: Int {
    job.run.training.validationEverySteps ?? job.run.checkpoint.everySteps
  }

  /// Whether as many validations as the run's patience were no better than the best one.
  private var isOutOfPatience: Bool {
    guard let patience = job.run.training.patience, let best = state.best, !state.validationDue else { return false }
    return (state.step - best.step) / validationInterval >= patience
  }

  /// Takes a finished step into the run's history.
  private func record(_ report: StepReport) {
    state.metrics.append(
      TrainingState.StepMetrics(
        step: report.step, loss: report.loss, learningRate: report.learningRate, gradientNorm: report.gradientNorm,
        tokens: report.tokens))
    state.epoch = stepper.sampler.epoch(step: report.step)
    state.consumedExamples = stepper.sampler.consumed(steps: report.step)
    if job.validation == nil,
      let line = LearningWarnings.unmoved(state.metrics, stepsPerEpoch: stepper.sampler.stepsPerEpoch)
    {
      log.note("warning    \(line)")
    }
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

  private enum Validated {
    case done(isBest: Bool)
    /// A signal to stop came meanwhile.
    case interrupted
  }

  /// Validates the adapter as it is now; before the first step that is what the best one is compared with.
  private func validate() throws -> Validated {
    guard job.validation != nil else { return .done(isBest: false) }
    job.communicator.watchdog.enter("the validation at step \(state.step)")
    guard let validation = try job.validate(stepper.adapter, step: state.step, signals: signals) else {
      return .interrupted
    }
    state.validationDue = false
    let now = validation.validated(step: state.step)
    let isBest = state.step > 0 && now.isBetter(than: state.best)
    if isBest { state.best = now }
    try log.validation(validation, step: state.step, start: state.start, isBest: isBest)
    if state.step == 0 { state.start = now }
    if let start = state.start, state.step > 0 { warn(from: start, to: now) }
    return .done(isBest: isBest)
  }

  private func warn(from start: TrainingState.Validated, to now: TrainingState.Validated) {
    let isWarm = now.step >= schedule.warmupSteps + 10 || now.step == totalSteps
    if isWarm, !isStagnationSaid, let line = LearningWarnings.unmoved(from: start, to: now, best: state.best) {
      log.note("warning    \(line)")
      isStagnationSaid = true
    }
    if let line = LearningWarnings.regression(from: start, to: now) { log.note("warning    \(line)") }
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
    newest.step.store(state.step, ordering: .relaxed)
    log.note("saved \(store.path(step: state.step))")
  }
}
