// A plan in lines for people, the units in which they think.
import Foundation

extension Plan {
  /// The plan; with a rate a rank, in 10^9 operations a second, a time estimate too.
  package func lines(gflops: Double? = nil) -> [String] {
    modelLines + adapterLines + rowLines + memoryLines + [reducedLine] + stepLines + (gflops.map(timeLines) ?? [noTime])
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
      "weights    \(size(weights.bytes)) (\(weights.source)), mapped once a node whatever its ranks",
    ]
  }

  private var adapterLines: [String] {
    let (text, rank) = (configuration.text, run.adapter.rank)
    let numbers = adapter.worst.parameters(text)
    let standard = StandardLoRA.parameters(rank: rank, text)
    return [
      adapterNumbers(numbers),
      """
      against    standard LoRA (q, k, v, o; all tokens; rank \(rank)): \(grouped(standard)) trainable numbers; \
      here \(percent(Double(numbers) / Double(standard)))
      """,
      """
      adds       \(operations(work.adapter, "multiply-add")) a row by the adapter alone, forward (backward twice \
      that); standard LoRA \(operations(work.standard, "multiply-add")); here \
      \(percent(work.adapter / work.standard))
      """,
    ]
  }

  private func adapterNumbers(_ numbers: Int) -> String {
    let (text, rank) = (configuration.text, run.adapter.rank)
    switch adapter.worst {
    case .lora(let targets, _):
      return """
        adapter    LoRA rank \(rank) on \(targets.map(\.rawValue).joined(separator: ", ")) of \
        \(plural(text.layers, "layer")), all tokens: \(grouped(numbers)) trainable numbers
        """
    case .imageLoRA(let budgets, _):
      var line = """
        adapter    Image-LoRA rank \(rank), \(budgets.selected) of \(text.layers * text.kvHeads) KV heads in \
        \(plural(budgets.layers, "layer")): \(grouped(numbers)) trainable numbers
        """
      if case .imageLoRA(let best, _) = adapter.best {
        line +=
          " at worst, spread evenly: the probe will choose; at best "
          + "\(grouped(best.parameters(rank: rank, text))), all in the top \(plural(best.layers, "layer"))"
      }
      return line
    }
  }

  private var rowLines: [String] {
    let shapes = rows.shapes
    func mean(_ part: KeyPath<RowShape, Int>) -> Double {
      shapes.reduce(0) { $0 + Double($1[keyPath: part]) } / Double(shapes.count)
    }
    let longest = shapes.map(\.tokens).max() ?? 0
    let row = work.row
    return [
      "rows       \(rows.source)",
      """
      typical    \(fixed(mean(\.tokens), 0)) tokens (longest \(longest)): \(fixed(mean(\.visual), 0)) visual \
      (\(percent(mean(\.visual) / mean(\.tokens)))), \(fixed(mean(\.answers), 0)) supervised
      """,
      """
      work       \(operations(row.decoding, "FLOP")) a row: decoder forward \(operations(row.forward, "FLOP")), \
      backward \(operations(row.backward, "FLOP")), head \(operations(row.head, "FLOP")), adapter \
      \(operations(row.adapter, "FLOP")); vision tower \(operations(row.vision, "FLOP")) more, once a picture while \
      its features are kept
      """,
    ]
  }

  private var memoryLines: [String] {
    let m = memory
    return [
      """
      memory     a rank \(size(m.total)) at its largest unit (\(largestUnit.tokens) tokens, \
      \(plural(largestUnit.rows, "row"))): kept for backward \(size(m.tapes)), \
      work space \(size(m.work)), pictures' features \(size(m.features)), adapter and optimizer \(size(m.adapter)), \
      program about \(size(m.program))
      """,
      """
      node       \(size(nodeBytes)): weights \(size(weights.bytes)) once and \(plural(ranks.perNode, "rank"))
      """,
    ]
  }

  private var reducedLine: String {
    let numbers = adapter.worst.parameters(configuration.text)
    let bytes = Stepper.reducedBytes(parameters: numbers)
    return """
      reduced    \(grouped(bytes.gradients + bytes.counts)) bytes a rank and step: \(grouped(numbers)) numbers of \
      \(MemoryLayout<Int128>.stride) bytes and \(bytes.counts) bytes of \(StepWords.summary)
      """
  }

  private var stepLines: [String] {
    let batch = run.training.globalBatch
    let perRank =
      batch % ranks.count == 0
      ? "\(batch / ranks.count)"
      : "\(batch / ranks.count) to \(batch / ranks.count + 1)"
    return [
      """
      steps      \(steps.map(grouped) ?? "unknown without data:") of \(plural(batch, "row")); \
      \(plural(ranks.nodes, "node")) of \(plural(ranks.perNode, "rank")), \(plural(run.model.threads, "thread")) each; \
      \(perRank) rows a rank on average, \(percent(work.idle)) of the ranks' time spent waiting for the busiest
      """
    ]
  }

  private func timeLines(_ gflops: Double) -> [String] {
    let (step, first) = (work.busiest / gflops / 1e9, (work.busiest + work.busiestVision) / gflops / 1e9)
    var line = "time       at \(fixed(gflops, 1)) GFLOP/s a rank: a step \(seconds(step))"
    if work.busiestVision > 0 { line += ", \(seconds(first)) with pictures seen for the first time" }
    if let count = rows.count {
      let perEpoch = Double(count) / Double(run.training.globalBatch)
      line += "; an epoch of \(fixed(perEpoch, 1)) steps \(seconds(perEpoch * step))"
    }
    if let steps { line += "; the run \(seconds(Double(steps) * step))" }
    return [line, "           products alone: elementwise work, probing, validation and communication come on top"]
  }

  private var noTime: String {
    "time       give --gflops, the rate of one rank, or --measure it on this machine, for an estimate"
  }
}

/// 1234567 as 1,234,567.
func grouped(_ value: Int) -> String {
  var digits = String(value.magnitude)
  var parts: [Substring] = []
  while digits.count > 3 {
    parts.append(Substring(digits.suffix(3)))
    digits.removeLast(3)
  }
  return (value < 0 ? "-" : "") + ([Substring(digits)] + parts.reversed()).joined(separator: ",")
}

/// Bytes as 7.0 GiB, 512 MiB or 56 KiB.
func size(_ bytes: Double) -> String {
  let gibi = bytes / 0x1p30
  if gibi >= 1 { return "\(fixed(gibi, 1)) GiB" }
  return bytes >= 0x1p20 ? "\(fixed(bytes / 0x1p20, 0)) MiB" : "\(fixed(bytes / 0x1p10, 0)) KiB"
}

/// A count of operations with a decimal prefix, as 1.23 TFLOP or 4.56 M multiply-adds.
private func operations(_ count: Double, _ unit: String) -> String {
  let steps: [(Double, String)] = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")]
  let (scale, prefix) = steps.first { count >= $0.0 } ?? (1e3, "k")
  return "\(fixed(count / scale, 2)) \(prefix)\(unit == "FLOP" ? unit : " \(unit)s")"
}

/// A part of 1 as 8.5% or 23%.
private func percent(_ part: Double) -> String { fixed(100 * part, part > 0 && part < 0.0995 ? 1 : 0) + "%" }

/// A count and what is counted, as 1 rank or 2 ranks.
private func plural(_ count: Int, _ name: String) -> String { "\(grouped(count)) \(name)\(count == 1 ? "" : "s")" }

private func seconds(_ seconds: Double) -> String {
  seconds < 10 ? "\(String(format: "%.2g", seconds))s" : seconds < 1e9 ? duration(seconds) : "more than 30 years"
}
