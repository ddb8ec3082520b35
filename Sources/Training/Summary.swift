// What a run is, in a few lines before its first step.
import Adapters
import RunFile

/// The facts of a run that a user checks before going for coffee.
struct Summary {
  let lines: [String]

  init(job: Job, adapter: ImageLoRA<Float>, selection: Adapters.HeadSelection, totalSteps: Int, startStep: Int) {
    let (base, run, layout) = (job.base, job.run, adapter.layout)
    let text = base.configuration.text
    let reduced = Stepper.reducedBytes(parameters: layout.count)
    let tokens = job.training.tokens
    let visual = job.training.visualTokens.reduce(0, +)
    func percent(_ part: Int, _ whole: Int) -> String { fixed(100 * Double(part) / Double(max(whole, 1)), 1) + "%" }
    var lines = [
      "model      \(base.folder): \(base.configuration.family.rawValue), \(text.layers) layers, hidden \(text.hiddenSize), "
        + "\(text.attentionHeads) heads, \(text.kvHeads) KV heads; base \(base.digest.prefix(12))",
      "adapter    Image-LoRA rank \(run.adapter.rank), alpha \(run.adapter.alpha), "
        + "\(run.adapter.normalization.rawValue): \(layout.count) trainable numbers",
      "heads      \(selection.numHeads) of \(text.layers * text.kvHeads) KV heads (\(selection.method)): "
        + selection.adapted.sorted { $0.key < $1.key }.map { layer, heads in
          "\(layer)[\(heads.map(String.init).joined(separator: ","))]"
        }.joined(separator: " "),
      "data       \(job.training.rows.count) rows, \(tokens.reduce(0, +)) tokens, "
        + "\(percent(visual, tokens.reduce(0, +))) visual"
        + (job.validation.map { "; \($0.rows.count) validation rows" } ?? "")
        + (job.training.problems.isEmpty ? "" : "; \(job.training.problems.count) bad rows left out"),
      "ranks      \(job.communicator.size), \(run.model.threads) thread\(run.model.threads == 1 ? "" : "s") each",
      "reduced    \(reduced.gradients + reduced.counts) bytes a rank and step: \(layout.count) numbers of "
        + "\(MemoryLayout<Int128>.stride) bytes, and \(reduced.counts) bytes of \(StepWords.summary)",
      "steps      \(totalSteps) of \(run.training.globalBatch) rows (\(fixed(job.sampler().stepsPerEpoch, 1)) an epoch), "
        + "peak lr \(run.training.learningRate), \(run.training.schedule.rawValue); run \(job.digest.prefix(12))"
        + (startStep > 0 ? "; going on after step \(startStep)" : ""),
    ]
    lines += job.training.problems.prefix(5).map { "left out   \($0)" }
    self.lines = lines
  }
}
