// What the validation examples come to: their losses by all ranks and, where the run asks for it, a metric of answers.
import Artifacts
import Batches
import Collectives
import Datasets
import Evaluation
import QwenVL
import RunFile

/// A run's validation under one adapter.
struct Validation: Equatable {
  /// The loss of the examples of one file among several.
  struct Part: Equatable {
    let name: String
    let examples: Int
    /// Mean NLL over the supervised tokens.
    let loss: Double
  }

  /// Examples, and their supervised tokens.
  let examples, tokens: Int
  /// Mean NLL over the supervised tokens.
  let loss: Double
  /// Empty where there is one file.
  let parts: [Part]
  /// The metric of the answered examples, and how many these are.
  var score: (metric: TrainingState.Score, answered: Int)?

  /// - Precondition: at least one example.
  init(_ losses: [SampleLoss], of examples: PreparedExamples) {
    func mean(_ losses: some Sequence<SampleLoss>) -> Double {
      losses.reduce(0) { $0 + $1.nll } / Double(losses.reduce(0) { $0 + $1.tokens })
    }
    self.examples = losses.count
    tokens = losses.reduce(0) { $0 + $1.tokens }
    loss = mean(losses)
    parts = examples.parts.filter { !$0.name.isEmpty && !$0.examples.isEmpty }.map { part in
      Part(name: part.name, examples: part.examples.count, loss: mean(losses[part.examples]))
    }
  }

  /// As a run's state keeps it.
  func validated(step: Int) -> TrainingState.Validated {
    TrainingState.Validated(step: step, loss: loss, score: score?.metric)
  }

  static func == (a: Self, b: Self) -> Bool {
    a.examples == b.examples && a.tokens == b.tokens && a.loss == b.loss && a.parts == b.parts
      && a.score?.metric == b.score?.metric && a.score?.answered == b.score?.answered
  }
}

extension Job {
  /// Validates an adapter, the same bits for any number of ranks.
  /// - Returns: nil if a signal to stop came meanwhile, or where the run has no validation.
  /// - Throws: `TrainingError` for a loss that is not finite, or a metric that no answered example has.
  /// - Important: Collective.
  func validate(
    _ adapter: any ProjectionAdapter<Float>, step: Int, signals: SignalRequests
  ) throws -> Validation? {
    guard let examples = validation, let losses = try losses(of: examples, adapter: adapter, signals: signals) else {
      return nil
    }
    if let bad = losses.firstIndex(where: { !$0.nll.isFinite }) {
      throw TrainingError.validationNotFinite(step: step, example: try examples.ids([bad]))
    }
    var validation = Validation(losses, of: examples)
    guard run.training.bestBy != .loss else { return validation }
    guard let results = try answers(to: examples, adapter: adapter, signals: signals) else { return nil }
    let metrics = Metrics(results)
    guard let value = metrics.value(run.training.bestBy) else {
      throw TrainingError.unsupported(
        key: "training.best_by",
        value:
          "\(run.training.bestBy.rawValue), of which none of \(results.count) answered validation examples has one,",
        supported: "loss or exact_match")
    }
    validation.score = (.init(name: run.training.bestBy.rawValue, value: value), results.count)
    return validation
  }

  /// Loss of each example in order, examples of the same images computed together.
  private func losses(
    of examples: PreparedExamples, adapter: any ProjectionAdapter<Float>, signals: SignalRequests
  ) throws -> [SampleLoss]? {
    let groups = imageGroups(keys: examples.keys, tokens: examples.tokens(of:))
    let losses: [[SampleLoss]?] = try mapOverRanks(
      costs: groups.map { Double(examples.tokens(of: $0)) }, communicator, stopping: { signals.stopRequested },
      naming: { "validating \(examples.names(groups[$0].examples))" }
    ) { index in
      let batch = try base.packedBatch(
        [groups[index]], of: examples, adapter: adapter, frozenLayers: frozenLayers(below: adapter))
      return base.loss(batch, adapter: adapter)
    }
    return losses.contains { $0 == nil } ? nil : inExampleOrder(losses.compactMap(\.self), of: groups)
  }

  /// Results with answers of as many examples as the run says, evenly spaced over all.
  private func answers(
    to all: PreparedExamples, adapter: any ProjectionAdapter<Float>, signals: SignalRequests
  ) throws -> [ExampleResult]? {
    let count = min(run.training.answeredRows, all.count)
    let chosen = (0..<count).map { $0 * all.count / count }
    let results = try Evaluator(
      base: base, samples: all.samples, maxNewTokens: run.training.maxNewTokens, scorer: run.data.scorer
    ).results(
      try all.examples(chosen),
      tokens: { group in all.tokens(of: ImageGroup(examples: group.examples.map { chosen[$0] })) },
      adapters: [adapter], communicator: communicator, stopping: { signals.stopRequested })[0]
    return results.contains { $0 == nil } ? nil : results.compactMap(\.self)
  }
}

extension Metrics {
  /// The metric by which a run's best validation is chosen; nil where no example has it.
  fileprivate func value(_ measure: BestBy) -> Double? {
    switch measure {
    case .loss: loss
    case .exactMatch: exactMatch.value
    case .pointInBox: pointInBox.value
    case .iou: meanIoU.value
    case .score: meanScore
    }
  }
}

extension TrainingState.Validated {
  /// Whether this one is to be preferred: by its score, then by its loss.
  func isBetter(than other: Self?) -> Bool {
    guard let other else { return true }
    if let own = score, let its = other.score, own.name == its.name, own.value != its.value {
      return own.value > its.value
    }
    return loss < other.loss
  }
}
