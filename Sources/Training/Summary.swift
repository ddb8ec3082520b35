// What a run is, in a few lines before its first step.
import Adapters
import RunFile

/// The facts of a run that a user checks before going for coffee.
struct Summary {
  let lines: [String]

  init(job: Job, adapter: ImageLoRA<Float>, selection: Adapters.HeadSelection, totalSteps: Int, startStep: Int) {
    let text = job.base.configuration.text
    let training = job.run.training
    let threads = job.run.model.threads
    let reduced = Stepper.reducedBytes(parameters: adapter.layout.count)
    let width = MemoryLayout<Int128>.stride
    let perEpoch = fixed(job.sampler().stepsPerEpoch, 1)
    lines =
      [
        """
        model      \(job.base.folder): \(job.base.configuration.family.rawValue), \(text.layers) layers, hidden \
        \(text.hiddenSize), \(text.attentionHeads) heads, \(text.kvHeads) KV heads; base \(job.base.digest.prefix(12))
        """,
        """
        adapter    Image-LoRA rank \(job.run.adapter.rank), alpha \(job.run.adapter.alpha), \
        \(job.run.adapter.normalization.rawValue): \(adapter.layout.count) trainable numbers
        """,
        """
        heads      \(selection.numHeads) of \(text.layers * text.kvHeads) KV heads (\(selection.method)): \
        \(Self.heads(selection))
        """,
        Self.data(job),
        "ranks      \(job.communicator.size), \(threads) thread\(threads == 1 ? "" : "s") each; products in \(job.base.arithmetic.rawValue)",
        """
        reduced    \(reduced.gradients + reduced.counts) bytes a rank and step: \(adapter.layout.count) numbers of \
        \(width) bytes, and \(reduced.counts) bytes of \(StepWords.summary)
        """,
        """
        steps      \(totalSteps) of \(training.globalBatch) rows (\(perEpoch) an epoch), peak lr \(training.learningRate), \
        \(training.schedule.rawValue); run \(job.digest.prefix(12))\(startStep > 0 ? "; after step \(startStep)" : "")
        """,
      ] + Self.features(job) + job.training.problems.prefix(5).map { "left out   \($0)" }
  }

  /// `3[0,2] 5[1]`: the selected heads of each adapted layer.
  private static func heads(_ selection: Adapters.HeadSelection) -> String {
    selection.adapted.sorted { $0.key < $1.key }.map { layer, heads in
      "\(layer)[\(heads.map(String.init).joined(separator: ","))]"
    }.joined(separator: " ")
  }

  /// How many pictures the cache held when the run started; nothing without a cache.
  private static func features(_ job: Job) -> [String] {
    guard let cache = job.base.featureStore.cacheState else { return [] }
    return ["features   cache \(cache.folder), \(cache.kept) of \(cache.pictures) pictures kept there"]
  }

  private static func data(_ job: Job) -> String {
    let rows = job.training
    let tokens = rows.tokens.reduce(0, +)
    let visual = fixed(100 * Double(rows.visualTokens.reduce(0, +)) / Double(tokens), 1)
    let validation = job.validation.map { "; \($0.rows.count) validation rows" } ?? ""
    let left = rows.problems.isEmpty ? "" : "; \(rows.problems.count) bad rows left out"
    return "data       \(rows.rows.count) rows, \(tokens) tokens, \(visual)% visual\(validation)\(left)"
  }
}
