// What a run is, in a few lines before its first step.
import Adapters
import QwenVL
import RunFile

/// The facts of a run that a user checks before going for coffee.
struct Summary {
  let lines: [String]

  init(job: Job, adapter: any Adapter<Float>, selection: Adapters.HeadSelection?, totalSteps: Int, startStep: Int) {
    let text = job.base.configuration.text
    let training = job.run.training
    let threads = job.run.model.threads
    let reduced = Stepper.reducedBytes(parameters: adapter.layout.count)
    let width = MemoryLayout<Int128>.stride
    let perEpoch = fixed(job.sampler().stepsPerEpoch, 1)
    var lines = [
      """
      model      \(job.base.folder): \(job.base.configuration.family.rawValue), \(text.layers) layers, hidden \
      \(text.hiddenSize), \(text.attentionHeads) heads, \(text.kvHeads) KV heads; base \(job.base.digest.prefix(12))
      """,
      Self.adapter(adapter),
    ]
    if let selection {
      lines.append(
        """
        heads      \(selection.numHeads) of \(text.layers * text.kvHeads) KV heads (\(selection.method)): \
        \(Self.heads(selection))
        """)
    }
    if let start = job.start { lines.append("start      \(start.folder)") }
    lines += [
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
    ]
    self.lines = lines + Self.features(job) + job.training.problems.prefix(5).map { "left out   \($0)" }
  }

  private static func adapter(_ adapter: any Adapter<Float>) -> String {
    let options =
      switch adapter.configuration {
      case .imageLoRA(let options):
        "Image-LoRA rank \(options.rank), alpha \(options.alpha), \(options.normalization.rawValue)"
      case .lora(let options):
        "LoRA rank \(options.rank), alpha \(options.alpha), all tokens, \(options.targets.count) layers, "
          + (options.targets.values.first ?? []).map(\.rawValue).joined(separator: " ")
      }
    return "adapter    \(options): \(adapter.layout.count) trainable numbers"
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
    return ["features   cache \(cache.folder), \(cache.cached) of \(cache.images) pictures kept there"]
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
