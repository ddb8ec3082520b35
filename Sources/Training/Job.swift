// What a run file names, opened and checked before anything is computed: the base model and the usable rows.
import Adapters
import Collectives
import Datasets
import Digests
import Foundation
import RunFile
import Units

/// A run's model and data on this rank; every rank holds the same.
package struct Job: Sendable {
  package let run: RunConfiguration
  package let communicator: any Communicator
  package let base: BaseModel
  package let training: PreparedRows
  package let validation: PreparedRows?
  /// The heads of a selection file, nil where the run names none.
  let selection: Adapters.HeadSelection?
  /// What training starts from, nil for a new adapter.
  let start: AdapterStart?
  /// Digest of everything that decides the run's numbers: its keys, base, rows, selected heads and start.
  package let digest: String

  /// Opens what the run names. An error of any rank is thrown on all.
  /// - Parameter warn: takes lines about what goes wrong and does not end the run.
  /// - Important: Collective.
  package init(
    _ run: RunConfiguration, communicator: any Communicator, warn: @escaping @Sendable (String) -> Void
  ) throws {
    let (run, base) = try run.openBase(communicator, warn: warn)
    self.run = run
    self.communicator = communicator
    self.base = base
    let training = try PreparedRows(run.data.train.resolved, run: run, base: base, communicator: communicator)
    self.training = training
    guard training.rows.count >= communicator.size else {
      throw TrainingError.tooFewRows(file: training.file, rows: training.rows.count, ranks: communicator.size)
    }
    validation = try run.data.validation.map {
      try PreparedRows($0.resolved, run: run, base: base, communicator: communicator)
    }
    start = try run.adapter.start.map { folder in
      try together(communicator) { try AdapterStart(folder.resolved, base: base) }
    }
    selection = try run.adapter.heads.file.map { file in
      try together(communicator) { try readSelection(file.resolved, base.configuration.text) }
    }
    let chosen = selection.map { [SHA256.hex("\($0.kvIndices)")] } ?? []
    let contents = [base.digest, base.template.digest, training.digest] + chosen + (start.map { [$0.digest] } ?? [])
    digest = run.digest(including: contents)
    try agree(on: digest, what: "run, model or data (\(run.path))", communicator)
  }

  /// What all ranks read from the feature cache and what they computed; nil without a cache.
  /// - Important: Collective.
  func featureTally() throws -> FeatureStore.Tally? {
    guard run.model.featureCache != nil else { return nil }
    let ranks = (0..<communicator.size).map { [$0] }
    return try mapOverRanks(ranks, communicator, naming: { _ in "counting features" }) { _ in base.featureStore.tally }
      .reduce(into: FeatureStore.Tally()) {
        $0.read += $1.read
        $0.computed += $1.computed
      }
  }

  /// Group keys for the sampler where the run groups rows by image.
  package var groups: [Int]? { run.data.groupByImage ? imageGroups(of: training.rows) : nil }

  /// The sampler of the training rows.
  package func sampler() -> Sampler {
    Sampler(
      rows: training.rows.count, groups: groups, globalBatch: run.training.globalBatch, seed: run.training.seed)
  }
}

/// Throws on every rank unless all hold the same text about something that they must share.
/// - Important: Collective.
func agree(on text: String, what: String, _ communicator: some Communicator) throws {
  let texts = try communicator.allGather(Array(text.utf8))
  if let rank = texts.firstIndex(where: { $0 != texts[0] }) {
    throw TrainingError.ranksDisagree(rank: rank, what: what)
  }
}

/// What stops a run before or between its steps.
package enum TrainingError: Error, Equatable, CustomStringConvertible {
  case unsupported(key: String, value: String, supported: String)
  case noBFloat16Instructions(rank: Int)
  case ranksDisagree(rank: Int, what: String)
  case tooFewRows(file: String, rows: Int, ranks: Int)
  case smallBatch(batch: Int, ranks: Int)
  case badRows(file: String, problems: [String])
  case noRows(file: String)
  case notFinite(step: Int, what: String)
  case validationNotFinite(step: Int, row: String)
  case selection(file: String, problem: String)
  case start(folder: String, problem: String)
  /// Behind a checkpoint of a step; nil: in a probe, which keeps nothing.
  case interrupted(step: Int?)

  package var description: String {
    switch self {
    case .unsupported(let key, let value, let supported):
      "run file: \(key): \(value) is not supported by this version; use \(supported)"
    case .noBFloat16Instructions(let rank):
      "run file: model.precision: bf16: the processor of rank \(rank) has no bf16 instructions and would take longer than "
        + "with fp32; use fp32, or allow it by model.emulate_bf16: true"
    case .ranksDisagree(let rank, let what):
      "rank \(rank) has another \(what) than rank 0; give all nodes the same files"
    case .tooFewRows(let file, let rows, let ranks):
      "\(file): \(rows) usable rows are fewer than \(ranks) ranks; start at most \(rows)"
    case .smallBatch(let batch, let ranks):
      "run file: training.global_batch: \(batch) rows a step are fewer than \(ranks) ranks; start at most \(batch)"
    case .badRows(let file, let problems):
      "\(file): \(problems.count) bad \(problems.count == 1 ? "row" : "rows"): "
        + problems.prefix(5).joined(separator: "; ") + (problems.count > 5 ? "; ..." : "")
        + "; mend them or set data.bad_rows: skip"
    case .noRows(let file):
      "\(file): no usable row is left"
    case .notFinite(let step, let what):
      "step \(step): \(what) is not finite; nothing was updated; lower training.learning_rate or leave the row out"
    case .validationNotFinite(let step, let row):
      "step \(step): the loss of validation row \(row) is not finite; nothing was saved of this step; lower "
        + "training.learning_rate or leave the row out"
    case .selection(let file, let problem):
      "\(file): \(problem); select heads for this model"
    case .start(let folder, let problem):
      "\(folder): \(problem), so this run cannot start from it"
    case .interrupted(let step?):
      "stopped by a signal after step \(step); continue with --resume auto"
    case .interrupted(nil):
      "stopped by a signal while probing, nothing of the probe is kept; start it again, or probe long data in parts with "
        + "imagelora probe --shard"
    }
  }
}
