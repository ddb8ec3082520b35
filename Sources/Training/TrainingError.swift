// What stops a run before or between its steps.
import Files

/// Errors that every rank throws at the same point, in the same words.
package enum TrainingError: ExitStatusError, Equatable, CustomStringConvertible {
  case unsupported(key: String, value: String, supported: String)
  case noBFloat16Instructions(rank: Int, reason: String)
  case tooFewExamples(file: String, examples: Int, ranks: Int)
  case smallBatch(batch: Int, ranks: Int)
  case notFinite(step: Int, what: String)
  case validationNotFinite(step: Int, example: String)
  /// The adapter or its moments are other numbers on some ranks.
  case differentState(step: Int, ranks: [Int])
  /// After a checkpoint of a step; nil: in a probe, which keeps nothing.
  case interrupted(step: Int?)

  package var exitStatus: Int32 {
    switch self {
    case .interrupted, .notFinite, .validationNotFinite, .differentState: ExitStatus.failed
    case .unsupported, .noBFloat16Instructions, .tooFewExamples, .smallBatch: ExitStatus.badInput
    }
  }

  package var description: String {
    switch self {
    case .unsupported(let key, let value, let supported):
      "run file: \(key): \(value) is not supported by this version; use \(supported)"
    case .noBFloat16Instructions(let rank, let reason):
      "run file: model.precision: bf16: rank \(rank) would take longer than with fp32, since \(reason); use fp32, or "
        + "allow it by model.emulate_bf16: true"
    case .tooFewExamples(let file, let examples, let ranks):
      "\(file): \(examples) usable examples are fewer than \(ranks) ranks; start at most \(examples)"
    case .smallBatch(let batch, let ranks):
      "run file: training.global_batch: \(batch) examples a step are fewer than \(ranks) ranks; start at most \(batch)"
    case .notFinite(let step, let what):
      "step \(step): \(what) is not finite; nothing was updated; lower training.learning_rate or leave the example out"
    case .validationNotFinite(let step, let example):
      "step \(step): the loss of validation example \(example) is not finite; nothing was saved of this step; lower "
        + "training.learning_rate or leave the example out"
    case .differentState(let step, let ranks):
      "after step \(step): the adapter of rank \(ranks.map(String.init).joined(separator: ", ")) differs from the other "
        + "ranks', its memory may be faulty; nothing was saved since; leave its host out and continue with --resume auto"
    case .interrupted(let step?):
      "stopped by a signal after step \(step); continue with --resume auto"
    case .interrupted(nil):
      "stopped by a signal while probing, nothing of the probe is kept; start it again, or probe long data in parts with "
        + "imagelora probe --shard"
    }
  }
}
