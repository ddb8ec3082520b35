// Going on from a checkpoint of a run with other keys: which keys differ, and which of them `--extend` may change.
import Artifacts
import Files
import RunFile

extension Job {
  /// What a longer or otherwise continued training may change.
  static let extendable: Set<String> = [
    "training.epochs", "training.steps", "training.global_batch", "training.micro_batch", "training.learning_rate",
    "training.min_learning_rate", "training.schedule", "training.warmup_steps",
  ]

  /// A checkpoint's state as one of this run, with its extension recorded.
  /// - Throws: `FileError` that names each key that differs, unless all of them may be changed and `extends` says so,
  ///   and nothing else differs.
  func belonging(_ state: TrainingState, path: String, extends: Bool) throws -> TrainingState {
    guard state.run.digest != digest else { return state }
    let old = try? RunConfiguration(text: state.run.yaml, path: path)
    let changes = old.map { self.changes(since: $0) } ?? []
    let allowed = changes.filter { Self.extendable.contains($0.key) }
    let isElse = old?.digest(including: contents) != state.run.digest
    let said =
      changes.isEmpty
      ? "every key is the same, but not the training examples, or a file of heads or an adapter to start from"
      : changes.map { "\($0.key) is \($0.old) there and \($0.new) here" }.joined(separator: "; ")
    let problem = "it belongs to another run: " + said
    guard allowed.count == changes.count, !changes.isEmpty else {
      throw FileError(
        path, problem,
        remedy: changes.isEmpty
          ? "bring them back, or start a new folder in checkpoint.directory"
          : "set \(allowed.isEmpty ? "them" : "those that --extend may not change") back, or start a new folder in "
            + "checkpoint.directory")
    }
    guard !isElse else {
      throw FileError(
        path, problem + "; and the training examples, or a file of heads or an adapter to start from, are others",
        remedy: "bring them back, or start a new folder in checkpoint.directory")
    }
    guard extends else {
      throw FileError(
        path, problem,
        remedy: "give --extend to go on with what is here, set it back, or start a new folder in checkpoint.directory")
    }
    var state = state
    state.extensions.append(
      TrainingState.Extension(step: state.step, consumedExamples: state.consumedExamples, changes: changes))
    return state
  }

  /// The decisive keys that have other values than in an earlier run.
  private func changes(since old: RunConfiguration) -> [TrainingState.Extension.Change] {
    let (before, now) = (old.decisiveSettings, run.decisiveSettings)
    func value(_ key: String, _ settings: [(key: String, value: String)]) -> String {
      settings.first { $0.key == key }?.value ?? "not given"
    }
    let keys = before.map(\.key) + now.map(\.key).filter { key in !before.contains { $0.key == key } }
    return keys.compactMap { key in
      let (old, new) = (value(key, before), value(key, now))
      return old == new ? nil : TrainingState.Extension.Change(key: key, old: old, new: new)
    }
  }
}
