// Runs side by side: what is trained, its cost, its quality.
import Adapters
import Artifacts
import Evaluation
import Formatting
import Foundation
import QwenVL

/// The table of the runs; for a single run also its main figures.
struct ComparisonSection {
  private let groups: [RunGroup]
  /// Why no run is the best; nil where one is.
  private let incomparability: String?

  init(groups: [RunGroup]) {
    self.groups = groups
    incomparability = groups.count > 1 ? Report.incomparability(groups.flatMap(\.runs)) : nil
  }

  var body: Markup? {
    let note =
      groups.contains { $0.runs.count > 1 }
      ? " Runs that differ only in seeds are one row: the mean ± half its 95% interval (Student's t)." : ""
    let reason: Markup? = incomparability.map { "<p class=\"reason\">Nothing is bold: \(breakable($0)).</p>" }
    let bold =
      groups.count > 1 && reason == nil ? " Bold is the best of a column; differences are from the first run." : ""
    return """
      \(tiles)\(reason)\(table.markup)<p class="note">FLOPs are those of the adapter alone in forward, two for each \
      multiply-add, \(hasLengths ? "for a mean training example" : "for one visual token"). Times are medians over the \
      steps of rank 0.\(bold)\(note)</p>

      """
  }

  private var hasLengths: Bool { groups.allSatisfy { $0.runs.contains { $0.lengths != nil } } }

  // MARK: - One run

  private var tiles: Markup? {
    guard groups.count == 1, let group = groups.first else { return nil }
    var tiles: [(value: String, name: String, detail: Markup)] = []
    if let loss = group.estimate({ $0.best?.loss }) {
      let step =
        group.runs.count == 1 ? group.first.best.map { "at step \($0.step)" } ?? "" : "over \(group.runs.count) seeds"
      tiles.append((loss.text { fixed($0, 4) }, "lowest validation loss", "\(step)"))
    }
    for (name, measure) in Self.measures {
      guard let adapted = group.estimate({ run in metrics(run, "adapted").flatMap(measure) }) else { continue }
      let change = group.estimate { run in
        metrics(run, "base").flatMap(measure).flatMap { base in
          metrics(run, "adapted").flatMap(measure).map { $0 - base }
        }
      }
      let detail = change.map { change -> Markup in
        let difference = Difference(change, lessIsBetter: false, .points)
        return "base \(percent(adapted.mean - change.mean)): \(difference.markup)"
      }
      tiles.append((adapted.text(percent), name, detail ?? "adapted model"))
    }
    if let costs = group.first.costs, let checkpoint = group.first.checkpoint {
      tiles.append((grouped(costs.trainable), "trainable parameters", "\(heads(checkpoint))"))
    }
    if let times = group.estimate({ $0.log.times?.examplesPerSecond }) {
      tiles.append((times.text { significant($0, digits: 3) }, "examples per second", "\(ranks(group.first))"))
    }
    guard !tiles.isEmpty else { return nil }
    let items: [Markup] = tiles.prefix(6).map { tile in
      "<li><strong>\(tile.value)</strong><span>\(tile.name)</span><small>\(tile.detail)</small></li>"
    }
    return "<ul class=\"tiles\">\(items)</ul>"
  }

  /// Accuracies. The first that a run has is its main one.
  static let measures: [(name: String, value: @Sendable (Metrics) -> Double?)] = [
    ("point in box", { $0.pointInBox.value }), ("IoU ≥ 0.5", { $0.iouAtHalf.value }),
    ("exact match", { $0.exactMatch.value }),
  ]

  private func metrics(_ run: ReportedRun, _ model: String) -> Metrics? {
    let lines = run.predictions(of: model)
    return lines.isEmpty ? nil : Metrics(lines.map(\.result))
  }

  private func heads(_ checkpoint: ReportedCheckpoint) -> String {
    switch checkpoint.adapter {
    case .imageLoRA:
      "\(chosen(checkpoint)) \((checkpoint.selection?.kind ?? .attention).words) \(layers(checkpoint))"
    case .lora: "\(chosen(checkpoint)) \(layers(checkpoint))"
    }
  }

  /// Heads of an Image-LoRA, projections of a standard LoRA.
  private func chosen(_ checkpoint: ReportedCheckpoint) -> String {
    switch checkpoint.adapter {
    case .imageLoRA(let options):
      let chosen = options.heads.values.reduce(0) { $0 + $1.count }
      return "\(chosen)" + (checkpoint.selection.map { " of \($0.capacity.reduce(0, +))" } ?? "")
    case .lora(let options):
      return options.kinds.joined(separator: ", ")
    }
  }

  private func layers(_ checkpoint: ReportedCheckpoint) -> String {
    "in \(plural(checkpoint.adapter.layers.count, "layer"))"
  }

  private func ranks(_ run: ReportedRun) -> String {
    run.checkpoint.map { "\(plural($0.worldSize, "rank")), \(plural(run.run.model.threads, "thread")) each" } ?? ""
  }

  // MARK: - Table

  private struct Column {
    var name: String
    var cell: (RunGroup) -> String?
    /// Small lines below the cell.
    var detail: (RunGroup) -> [String] = { _ in [] }
    var isNumber = true
    /// The compared value, and whether less is better; nil for a column that has no best value.
    var rank: (value: (RunGroup) -> Estimate?, lessIsBetter: Bool)?
    /// How a difference from the first run is written; nil where it says little.
    var difference: Difference.Format?
  }

  private func column(
    _ name: String, lessIsBetter: Bool? = nil, _ value: @escaping (ReportedRun) -> Double?,
    difference: Difference.Format? = nil, written: @escaping (Double) -> String
  ) -> Column {
    Column(
      name: name, cell: { $0.estimate(value).map { written($0.mean) } },
      detail: { [$0.estimate(value)?.marginText(written)].compactMap(\.self) },
      rank: lessIsBetter.map { ({ $0.estimate(value) }, $0) }, difference: difference)
  }

  /// What a run reached, then what it is, then what it costs.
  private var columns: [Column] {
    let perExample = hasLengths
    let quality =
      [column("validation loss", lessIsBetter: true, { $0.best?.loss }, difference: .decimals(4)) { fixed($0, 4) }]
      + Self.measures.map { name, measure in
        column(
          name, lessIsBetter: false, { metrics($0, "adapted").flatMap(measure) }, difference: .points, written: percent)
      }
    let columns =
      quality + [
        Column(
          name: "adapter", cell: { kind($0.first) },
          detail: { [sizes($0.first), $0.first.checkpoint.map(heads)].compactMap(\.self) }, isNumber: false),
        column("trainable", { $0.costs.map { Double($0.trainable) } }) { grouped(Int($0.rounded())) },
        column("step", lessIsBetter: true, { $0.log.times?.step }, written: seconds),
        column("examples/s", lessIsBetter: false, { $0.log.times?.examplesPerSecond }) { significant($0, digits: 3) },
        column("all-reduce a step", { $0.costs.map { Double($0.reducedBytes) } }) { bytes(Int($0.rounded())) },
        column(
          perExample ? "FLOPs an example" : "FLOPs a token",
          { run in
            run.costs.map { Double($0.flopsPerToken) * (perExample ? adaptedTokens(run) : 1) }
          }, written: { prefixed($0, "FLOP") }),
      ]
    return columns.filter { column in groups.contains { column.cell($0) != nil } }
  }

  private var table: Table {
    let columns = columns
    let best = columns.map { column -> Double? in
      guard let rank = column.rank, incomparability == nil else { return nil }
      let values = groups.compactMap { rank.value($0)?.mean }
      guard values.count > 1 else { return nil }
      return rank.lessIsBetter ? values.min() : values.max()
    }
    return Table(
      headings: ["run"] + columns.map(\.name),
      rows: groups.map { group in
        [Table.Cell(name(group), isNumber: false)]
          + zip(columns, best).map { column, best -> Table.Cell in
            let detail: [Markup] = column.detail(group).map { "<small>\($0)</small>" }
            let change: Markup? = difference(column, group).map { "<small>\($0.markup)</small>" }
            let isBest = best != nil && column.rank?.value(group)?.mean == best
            let value: Markup = isBest ? "<b>\(column.cell(group) ?? "–")</b>" : "\(column.cell(group) ?? "–")"
            return Table.Cell("\(value)\(detail)\(change)", isNumber: column.isNumber)
          }
      })
  }

  /// From the first run, where both were measured on the same examples.
  private func difference(_ column: Column, _ group: RunGroup) -> Difference? {
    guard group.index > 0, incomparability == nil, let rank = column.rank, let format = column.difference,
      let own = rank.value(group), let first = rank.value(groups[0])
    else { return nil }
    return Difference(Estimate(of: own, from: first), lessIsBetter: rank.lessIsBetter, format)
  }

  /// The run's name, and how its configuration differs from the first one's.
  private func name(_ group: RunGroup) -> Markup {
    let differences = group.index == 0 ? [] : group.differences(from: groups[0])
    let detail: Markup? =
      differences.isEmpty
      ? nil : "<small>\(breakable(shortened(differences.joined(separator: ", "), to: 160)))</small>"
    return "\(group.label)\(detail)"
  }

  /// Mean number of an example's tokens that the adapter acts on.
  private func adaptedTokens(_ run: ReportedRun) -> Double {
    let isImageLoRA = run.run.adapter.kind == .imageLoRA
    return run.lengths?.mean(isImageLoRA ? \.visual : \.tokens) ?? 0
  }

  private func kind(_ run: ReportedRun) -> String { run.run.adapter.kind == .imageLoRA ? "Image-LoRA" : "LoRA" }

  private func sizes(_ run: ReportedRun) -> String {
    "rank \(run.run.adapter.rank), alpha \(String(format: "%g", run.run.adapter.alpha))"
  }
}
