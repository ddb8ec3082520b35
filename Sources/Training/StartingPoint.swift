// Where a run starts: a checkpoint, or a new adapter on heads that a probe may choose.
import Adapters
import Artifacts
import Collectives
import Digests
import Files
import Formatting
import RunFile

/// What a run starts from.
package enum Resume: Sendable, Equatable {
  case no
  /// From the newest valid checkpoint of the run's folder, or from the start where there is none.
  case newest
  case from(path: String)
}

extension Job {
  /// The state that the run starts from, the same on every rank.
  /// - Throws: whatever stops a run before its first step, the same on every rank.
  /// - Important: Collective.
  func startingState(
    _ resume: Resume, extends: Bool, store: CheckpointStore, log: RunLog, signals: SignalRequests
  ) throws -> TrainingState {
    let found = try withErrorAgreement(communicator) {
      try restored(resume, extends: extends, folder: store.folder)
    }
    try requireSame(
      found.state.map { "\($0.step) \(SHA256.hex($0.parameters.withUnsafeBytes(Array.init)))" } ?? "none",
      what: "newest checkpoint in \(store.directory)", communicator)
    let aside = try withErrorAgreement(communicator) {
      communicator.rank == 0
        ? try store.begin(
          resumedFrom: found.path, step: found.state?.step ?? 0, best: found.state?.best?.step) : []
    }
    (found.notes + aside).forEach(log.note)
    if var state = found.state {
      state.run = identity
      if validation == nil { state.validationDue = false }
      if let line = state.choose(bestBy: run.training.bestBy) { log.note("note       \(line)") }
      return state
    }
    let (adapter, selection) = try newAdapter(log: log, signals: signals)
    var state = TrainingState(startOf: identity, adapter: adapter, selection: selection)
    state.validationDue = validation != nil
    return state
  }

  /// A checkpoint's state, nil where there is none to go on from, and lines about it for the log.
  private struct Restored {
    var state: TrainingState?
    var path: String?
    var notes: [String] = []
  }

  private func restored(_ resume: Resume, extends: Bool, folder: CheckpointFolder) throws -> Restored {
    switch resume {
    case .no:
      guard let name = try folder.names().first else { return Restored() }
      throw FileError(
        folder.path(name), "the folder holds checkpoints of an earlier run",
        remedy: "continue with --resume auto or name another folder in checkpoint.directory")
    case .from(let path):
      try CheckpointFolder.verify(path)
      return try restored(from: path, extends: extends, notes: [])
    case .newest:
      let (newest, refused) = try folder.newest()
      guard let newest else {
        guard let first = refused.first else {
          return Restored(notes: ["no checkpoint in \(folder.directory), starting from step 0"])
        }
        throw FileError(
          folder.directory, "holds \(plural(refused.count, "checkpoint")) and none is valid: \(first)",
          remedy: "bring back valid ones, or move these away to begin at step 0",
          fault: isMachineFault(first) ? .machine : .input)
      }
      return try restored(from: folder.path(newest), extends: extends, notes: refused.map { "left out \($0)" })
    }
  }

  /// The state of a checkpoint, checked against this run.
  private func restored(from path: String, extends: Bool, notes: [String]) throws -> Restored {
    var state = try TrainingState(reading: path, for: base)
    // First, since versions before 0.3.0 read images otherwise, and the message names the key.
    try state.run.provenance.requireMatch(identity.provenance, of: [.reading], folder: base.folder, file: path)
    let known = state.extensions.count
    state = try belonging(state, path: path, extends: extends)
    let extended = state.extensions.dropFirst(known).map { "extended   after step \($0.step): \($0.words)" }
    guard state.run.imagesDigest == nil || state.run.imagesDigest == training.imagesDigest else {
      throw FileError(
        path,
        "images of \(training.file) have other bytes than when it was saved (images_digest "
          + "\(state.run.imagesDigest?.prefix(12) ?? "")..., now \(training.imagesDigest.prefix(12))...)",
        remedy: "bring the images back, or start a new folder in checkpoint.directory")
    }
    // The digest covers the limits that the run states, not those of the model's folder.
    try state.run.provenance.requireMatch(identity.provenance, folder: base.folder, file: path) { key, value in
      "\(key.split(separator: ".").last ?? "") back to \(value) in the preprocessor_config.json of \(base.folder)"
    }
    return Restored(
      state: state, path: path, notes: notes + ["resumed from \(path) at step \(state.step)"] + extended)
  }
}

extension TrainingState {
  /// Leaves out what earlier validations came to by another measure.
  /// - Returns: a line about it, nil where there was none.
  fileprivate mutating func choose(bestBy measure: BestBy) -> String? {
    if let name = start?.score?.name, name != measure.rawValue { start?.score = nil }
    guard let best, best.score?.name ?? BestBy.loss.rawValue != measure.rawValue else { return nil }
    self.best = measure == .loss ? Validated(step: best.step, loss: best.loss) : nil
    return
      "the best validation so far, at step \(best.step), was chosen by \(best.score?.name ?? BestBy.loss.rawValue); "
      + "from here on it is by \(measure.rawValue)"
  }
}
