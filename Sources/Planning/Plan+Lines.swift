// A plan in lines for people.
import Batches
import Costs
import Formatting
import QwenVL

extension Plan {
  /// The plan; with a rate a time estimate too.
  package var lines: [String] {
    modelLines + adapterLines + exampleLines + probeLines + memoryLines + fittingLines + [payloadLine, stepLine]
      + timeLines + reachLines
  }

  private var modelLines: [String] {
    let text = configuration.text
    let head =
      counts.head == 0
      ? "embedding, also the head, \(grouped(counts.embedding))"
      : "embedding \(grouped(counts.embedding)), head \(grouped(counts.head))"
    return [
      """
      model      \(run.model.path.resolved): \(text.layers) layers, hidden \(text.hiddenSize), \
      \(text.attentionHeads) heads, \(text.kvHeads) KV heads
      """,
      """
      frozen     \(grouped(counts.total)) parameters: vision \(grouped(counts.vision)), decoder \
      \(grouped(counts.decoder)), \(head)
      """,
      "weights    \(binarySize(weights.bytes)) (\(weights.source)), mapped once a node whatever its ranks",
    ]
  }

  private var adapterLines: [String] {
    let (text, rank) = (configuration.text, run.adapter.rank)
    let parameters = adapter.worst.parameters(text)
    let standard = StandardLoRA.parameters(rank: rank, text)
    return [
      "adapter    \(adapterWords(parameters))",
      """
      compared   to standard LoRA (q, k, v, o; all tokens; rank \(rank)): \(grouped(standard)) trainable parameters, here \
      \(percent(Double(parameters) / Double(standard)))
      """,
      """
      adds       \(prefixed(work.adapterFLOPs, "FLOP")) an example by the adapter alone, forward (backward twice that); \
      standard LoRA \(prefixed(work.standardFLOPs, "FLOP")), here \(percent(work.adapterFLOPs / work.standardFLOPs))
      """,
    ]
  }

  private func adapterWords(_ parameters: Int) -> String {
    let (text, rank) = (configuration.text, run.adapter.rank)
    switch adapter.worst {
    case .lora(let options, _):
      return """
        LoRA rank \(rank), all tokens, \(options.listing): \(grouped(parameters)) trainable parameters
        """
    case .imageLoRA(let budgets, _):
      var line = """
        Image-LoRA rank \(rank), \(budgets.selected) of \(run.adapter.capacity(text).reduce(0, +)) \
        \(run.adapter.headWords) in \(plural(budgets.layers, "layer")): \(grouped(parameters)) trainable parameters
        """
      if case .imageLoRA(let best, _) = adapter.best {
        line +=
          " at worst, spread evenly: the probe will choose; at best "
          + "\(grouped(best.parameters(rank: rank, text))), all in the top \(plural(best.layers, "layer"))"
      }
      return line
    }
  }

  private var exampleLines: [String] {
    let longest = examples.shapes.map(\.tokens).max() ?? 0
    let (tokens, visual) = (examples.mean(\.tokens), examples.mean(\.visual))
    let flops = work.example
    return [
      "examples   \(examples.source)",
      """
      typical    \(fixed(tokens, 0)) tokens (longest \(longest)): \(fixed(visual, 0)) visual (\(percent(visual / tokens))), \
      \(fixed(examples.mean(\.answers), 0)) supervised
      """,
      """
      work       \(prefixed(flops.decoding, "FLOP")) an example: decoder forward \(prefixed(flops.forward, "FLOP")), \
      backward \(prefixed(flops.backward, "FLOP")), head \(prefixed(flops.head, "FLOP")), adapter \
      \(prefixed(flops.adapter, "FLOP")); vision tower \(prefixed(flops.vision, "FLOP")) more, once an image while its \
      features are cached
      """,
    ]
      + (work.recomputed > 0
        ? [
          """
          again      \(prefixed(work.recomputed, "FLOP")) an example: activations beyond \
          \(binarySize(Double(activations.bytes))) a rank are recomputed
          """
        ] : [])
      + frozenLines + cutLines
  }

  private var cutLines: [String] { cutGroups.map { ["cut        \($0.advice)"] } ?? [] }

  private var frozenLines: [String] {
    guard let frozen else { return [] }
    return [
      """
      frozen     \(prefixed(frozen.flops, "FLOP")) of an example's forward are in the \(plural(frozen.layers, "layer")) below \
      the adapted ones: computed once, as long as its hidden states (\(binarySize(frozen.bytes))) are cached
      """
    ]
  }

  private var probeLines: [String] {
    guard let probe else { return [] }
    return [
      "probe      \(plural(probe.examples, "example")), once before the first step: \(prefixed(probe.flops, "FLOP"))"
    ]
  }

  private var fittingLines: [String] {
    guard let fitting else { return [] }
    var ways: [String] = []
    if let mebibytes = fitting.activationMemoryMiB {
      ways.append("training.activation_memory_mib: \(mebibytes), at the price of computing activations again")
    }
    if fitting.ranksPerNode > 0 { ways.append("\(plural(fitting.ranksPerNode, "rank")) a node") }
    ways.append(
      fitting.ranksPerNode > 0
        ? "a lower model.max_pixels"
        : "a lower model.max_pixels or training.micro_batch, or a larger node: not one rank fits")
    return [
      "too small  a node needs \(binarySize(nodeBytes)) and has \(binarySize(nodeMemory)) (--node-memory-gib)",
      "           what helps: \(ways.joined(separator: "; "))",
    ]
  }

  private var memoryLines: [String] {
    let m = memory
    return [
      """
      memory     a rank \(binarySize(m.total)) at its largest batch (\(largestBatch.tokens) tokens, \
      \(plural(largestBatch.examples, "example"))): saved activations \(binarySize(m.activations)), work space \
      \(binarySize(m.work)), cached vision features \(binarySize(m.features)), adapter and optimizer \
      \(binarySize(m.adapter)), program about \(binarySize(m.program))
      """,
      """
      node       \(binarySize(nodeBytes)): weights \(binarySize(weights.bytes)) once and \
      \(plural(ranks.perNode, "rank"))
      """,
    ]
  }

  var payload: AllReducePayload {
    AllReducePayload(parameters: adapter.worst.parameters(configuration.text), ranks: ranks.count)
  }

  private var payloadLine: String {
    """
    reduced    \(grouped(payload.bytes)) bytes a rank and step: \(grouped(payload.parameters)) gradients of \
    \(AllReducePayload.wordBytes) bytes and \(payload.counterBytes) bytes of counters (\(AllReducePayload.counters))
    """
  }

  private var stepLine: String {
    let batch = run.training.globalBatch
    let perRank =
      batch % ranks.count == 0
      ? "\(batch / ranks.count)"
      : "\(batch / ranks.count) to \(batch / ranks.count + 1)"
    return """
      steps      \(steps.map(grouped) ?? "unknown without data:") of \(plural(batch, "example")); \
      \(plural(ranks.nodes, "node")) of \(plural(ranks.perNode, "rank")), \(plural(run.model.threads, "thread")) each; \
      \(perRank) examples a rank on average in passes of up to \(run.examplesPerPass), \(percent(work.idle)) of the \
      ranks' time spent waiting for the busiest
      """
        + (advice.map { "\nnote       \($0)" } ?? "")
  }

  private var advice: String? {
    ExamplesPerPass.advice(passes: passes, ranks: ranks.count, examplesPerPass: run.examplesPerPass)
  }

  private var timeLines: [String] {
    guard let gflops, let times = PlannedTimes(self) else {
      return ["time       give --gflops, the rate of one rank, or --measure it on this machine, for an estimate"]
    }
    var line = "time       at \(fixed(gflops, 1)) GFLOP/s a rank: a step \(Self.words(times.step))"
    if times.firstStep > times.step { line += ", \(Self.words(times.firstStep)) with images seen for the first time" }
    if let steps = times.stepsPerEpoch, let epoch = times.epoch {
      line += "; an epoch of \(fixed(steps, 1)) steps \(Self.words(epoch))"
    }
    if let run = times.run { line += "; the run \(Self.words(run))" }
    if times.probe > 0 { line += ", \(Self.words(times.probe)) of it the probe" }
    return [line, "           GEMMs alone: elementwise work, validation and communication come on top"]
  }

  static func words(_ seconds: Double) -> String {
    seconds < 10 ? shortDuration(seconds) : seconds < 1e9 ? duration(seconds) : "more than 30 years"
  }
}
