// Where a run starts: a checkpoint, or a new adapter on heads that a probe may choose.
import Adapters
import Artifacts
import Collectives
import Digests
import Files

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
    _ resume: Resume, store: CheckpointStore, log: RunLog, signals: SignalRequests
  ) throws -> TrainingState {
    let found = try withErrorAgreement(communicator) { () throws -> Restored in
      if communicator.rank == 0 { try store.prepare() }
      return try restored(resume, store: store)
    }
    try requireSame(
      found.state.map { "\($0.step) \(SHA256.hex($0.parameters.withUnsafeBytes(Array.init)))" } ?? "none",
      what: "newest checkpoint in \(store.directory)", communicator)
    found.notes.forEach(log.note)
    if var state = found.state {
      state.run = identity
      if validation == nil { state.validationDue = false }
      return state
    }
    let (adapter, selection) = try newAdapter(log: log, signals: signals)
    return TrainingState(startOf: identity, adapter: adapter, selection: selection)
  }

  /// A checkpoint's state, nil where there is none to go on from, and lines about it for the log.
  private struct Restored {
    var state: TrainingState?
    var notes: [String] = []
  }

  private func restored(_ resume: Resume, store: CheckpointStore) throws -> Restored {
    switch resume {
    case .no:
      guard let step = try store.steps().first else { return Restored() }
      throw FileError(
        store.path(step: step), "the folder holds checkpoints of an earlier run",
        remedy: "continue with --resume auto or name another folder in checkpoint.directory")
    case .from(let path):
      try CheckpointStore.verify(path)
      return try restored(from: path, notes: [])
    case .newest:
      let (newest, refused) = try store.newest()
      let notes = refused.map { "left out \($0)" }
      guard let newest else {
        return Restored(notes: notes + ["no checkpoint in \(store.directory), starting from step 0"])
      }
      return try restored(from: newest, notes: notes)
    }
  }

  /// The state of a checkpoint, checked against this run.
  private func restored(from path: String, notes: [String]) throws -> Restored {
    let state = try TrainingState(reading: path, for: base)
    // First, since versions before 0.3.0 read images otherwise, and the message names the key.
    try state.run.provenance.requireMatch(identity.provenance, of: [.reading], folder: base.folder, file: path)
    guard state.run.digest == digest else {
      throw FileError(
        path,
        "it belongs to another run (run_digest \(state.run.digest.prefix(12))..., this run is \(digest.prefix(12))...): "
          + "keys, data or pixel limits changed",
        remedy: "compare /run/yaml in it, or start a new folder in checkpoint.directory")
    }
    // The digest covers the limits that the run states, not those of the model's folder.
    try state.run.provenance.requireMatch(identity.provenance, folder: base.folder, file: path) { key, value in
      "\(key.split(separator: ".").last ?? "") back to \(value) in the preprocessor_config.json of \(base.folder)"
    }
    return Restored(state: state, notes: notes + ["resumed from \(path) at step \(state.step)"])
  }
}
