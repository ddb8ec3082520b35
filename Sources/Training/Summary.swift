// What a run is, in a few lines before its first step.
import Adapters
import Artifacts
import Costs
import Datasets
import Formatting
import RunFile

/// The facts of a run that a user checks before going for coffee.
struct Summary {
  let lines: [String]

  init(job: Job, state: TrainingState, totalSteps: Int) {
    let text = job.base.configuration.text
    let training = job.run.training
    let payload = AllReducePayload(parameters: state.layout.count, ranks: job.communicator.size)
    let perEpoch = fixed(job.sampler().stepsPerEpoch, 1)
    var lines = [
      """
      model      \(job.base.folder): \(job.base.configuration.family.rawValue), \(text.layers) layers, hidden \
      \(text.hiddenSize), \(text.attentionHeads) heads, \(text.kvHeads) KV heads; base \(job.base.digest.prefix(12))
      """,
      "adapter    \(state.adapter.summary): \(state.layout.count) trainable parameters",
    ]
    if let selection = state.selection {
      lines.append(
        """
        heads      \(selection.numHeads) of \(selection.capacity.reduce(0, +)) \(job.run.adapter.headWords) \
        (\(selection.method)): \(selection.adapted.listing)
        """)
    }
    if let start = job.start { lines.append("start      \(start.path)") }
    lines += [Self.data(job)] + Self.files(job)
    lines += [
      """
      ranks      \(job.communicator.size), \(plural(job.run.model.threads, "thread")) each; compute precision \
      \(job.base.precision.rawValue)
      """,
      """
      reduced    \(payload.bytes) bytes a rank and step: \(payload.parameters) gradients of \
      \(AllReducePayload.wordBytes) bytes, and \(payload.counterBytes) bytes of counters (\(AllReducePayload.counters))
      """,
      """
      steps      \(totalSteps) of \(training.globalBatch) examples (\(perEpoch) an epoch), peak lr \
      \(significant(job.run.learningRate(text)))\(Self.factors(job)), \(training.schedule.rawValue); run \(job.digest.prefix(12))\
      \(state.step > 0 ? "; after step \(state.step)" : "")
      """,
    ]
    self.lines =
      lines + Self.passes(job) + (state.step > 0 ? [] : Self.cut(job)) + Self.memory(job) + Self.features(job)
      + job.training.problems.prefix(5).map { "left out   \($0)" }
      + ([job.training] + [job.validation].compactMap(\.self)).flatMap(\.remarks)
  }

  /// The factors on the learning rate where there are any.
  private static func factors(_ job: Job) -> String {
    let factors = job.run.rateFactors(job.base.configuration.text)
    guard factors != .plain else { return "" }
    let words = [("A", factors.A), ("B", factors.B), ("gamma", factors.gamma)].filter { $0.1 != 1 }
    return " (" + words.map { "\($0.0) x \(significant($0.1))" }.joined(separator: ", ") + ")"
  }

  /// What to do where steps cut image groups; of a run that goes on nothing is to be changed.
  private static func cut(_ job: Job) -> [String] {
    guard let groups = job.groups else { return [] }
    let (sampler, batch) = (job.sampler(), job.run.training.globalBatch)
    let steps = (0..<CutGroups.sampledSteps(of: sampler.stepsPerEpoch, globalBatch: batch))
      .map { sampler.imageGroups(step: $0, grouping: groups) }
    let found = CutGroups(keys: groups, steps: steps, globalBatch: batch, ranks: job.communicator.size)
    return found.map { ["note       \($0.advice)"] } ?? []
  }

  /// How examples are packed, where several are, and what to do where that leaves ranks without work.
  private static func passes(_ job: Job) -> [String] {
    let most = job.run.examplesPerPass
    guard most > 1 else { return [] }
    let batches = microBatches(of: job.sampler().imageGroups(step: 0, grouping: job.groups), examples: most) {
      job.training.shapes[$0].visual == 0
    }
    let advice = ExamplesPerPass.advice(
      passes: batches.count, ranks: job.communicator.size, examplesPerPass: most)
    return ["passes     up to \(most) examples each; the first step has \(batches.count)"]
      + (advice.map { ["note       \($0)"] } ?? [])
  }

  /// What a rank saves for backward where the run leaves it to the nodes' memory.
  private static func memory(_ job: Job) -> [String] {
    guard job.run.training.activationMemoryMiB == nil, job.activationBytes < .max else { return [] }
    let size = binarySize(Double(job.activationBytes))
    return ["memory     up to \(size) of activations a rank are saved for backward, more are computed again"]
  }

  /// How many images the cache held when the run started; nothing without a cache.
  private static func features(_ job: Job) -> [String] {
    guard let cache = job.base.featureStore.cacheState else { return [] }
    let counts = cache.counts.map { ", \($0.cached) of \($0.images) images cached there" } ?? ""
    return ["features   cache \(cache.folder)\(counts)"]
  }

  /// A line for each file where there are several or one has a weight.
  private static func files(_ job: Job) -> [String] {
    let parts = job.training.parts
    guard parts.count > 1 || parts.contains(where: { $0.weight != 1 }) else { return [] }
    return parts.map { part in
      let name = part.name.isEmpty ? job.training.file : part.name
      return "file       \(name): \(plural(part.examples.count, "example")), weight \(part.weight), "
        + "\(part.examplesPerEpoch) an epoch"
    }
  }

  private static func data(_ job: Job) -> String {
    let examples = job.training
    let tokens = examples.tokens.reduce(0, +)
    let visual = percent(Double(examples.visualTokens.reduce(0, +)) / Double(tokens))
    let validation = job.validation.map { "; \($0.count) validation examples" } ?? ""
    let left = examples.problems.isEmpty ? "" : "; \(examples.problems.count) bad examples left out"
    let known = examples.isKnown ? "; prepared before" : ""
    return "data       \(examples.count) examples, \(tokens) tokens, \(visual) visual\(validation)\(left)\(known)"
  }
}
