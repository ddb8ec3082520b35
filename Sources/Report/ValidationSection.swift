// What training did to every validation metric: from the first validation to the best one, what got worse first.

/// A table of the runs' validations, and a line for each metric that got worse while the loss fell.
struct ValidationSection {
  let groups: [RunGroup]

  /// A number that validations have.
  private struct Measure {
    var key: String
    var name: String
    var lessIsBetter = false

    /// Losses have four decimals; other measures are parts of 1.
    func written(_ value: Double) -> String { lessIsBetter ? fixed(value, 4) : percent(value) }
    var difference: Difference.Format { lessIsBetter ? .decimals(4) : .points }
  }

  /// A measure of a group at both ends.
  private struct Change {
    var start, end: Estimate
    var difference: Difference
  }

  var body: Markup? {
    let shown = groups.filter { change($0, Self.loss) != nil }
    guard !shown.isEmpty else { return nil }
    let measures = measures.filter { measure in shown.contains { change($0, measure) != nil } }
    let table = Table(
      headings: ["run", "steps"] + measures.map(\.name),
      rows: shown.map { group in
        [Table.Cell(group.label, isNumber: false), Table.Cell("\(steps(group))")]
          + measures.map { cell(change(group, $0), $0) }
      })
    let worse = shown.flatMap { group in measures.compactMap { warning(group, $0) } }
    let list: Markup? = worse.isEmpty ? nil : "<ul class=\"warnings\">\(worse)</ul>"
    return """
      \(list)\(table.markup)<p class="note">At the validation of the lowest loss, and the difference from the first \
      validation.</p>

      """
  }

  private static let loss = Measure(key: "validation_loss", name: "validation loss", lessIsBetter: true)

  private var measures: [Measure] {
    let files = Set(
      groups.flatMap(\.runs).flatMap(\.log.validationMeasures).filter { $0.hasPrefix("validation_loss/") })
    let ofFiles = files.sorted().map { key in
      Measure(key: key, name: "loss of \(key.dropFirst("validation_loss/".count))", lessIsBetter: true)
    }
    let names = ["point in box", "IoU", "exact match", "score"]
    let parts = zip(MetricsLog.partsOfOne, names).map { Measure(key: $0, name: $1) }
    return [Self.loss] + parts + ofFiles
  }

  /// Over the runs that have the measure at both ends; nil where none has it.
  private func change(_ group: RunGroup, _ measure: Measure) -> Change? {
    let ends = group.runs.compactMap { run -> (start: Double, end: Double)? in
      guard let steps = run.log.startAndEnd else { return nil }
      let curve = run.log.curve(measure.key)
      guard let start = curve.value(at: steps.start), let end = curve.value(at: steps.end) else { return nil }
      return (start, end)
    }
    guard let start = Estimate(ends.map(\.start)), let end = Estimate(ends.map(\.end)),
      let difference = Estimate(ends.map { $0.end - $0.start })
    else { return nil }
    return Change(
      start: start, end: end,
      difference: Difference(difference, lessIsBetter: measure.lessIsBetter, measure.difference))
  }

  /// As `0 → 160`.
  private func steps(_ group: RunGroup) -> String {
    let ends = group.runs.compactMap(\.log.startAndEnd)
    func range(_ steps: [Double]) -> String {
      let (low, high) = (steps.min() ?? 0, steps.max() ?? 0)
      return grouped(Int(low)) + (high > low ? "–\(grouped(Int(high)))" : "")
    }
    return "\(range(ends.map(\.start))) → \(range(ends.map(\.end)))"
  }

  private func cell(_ change: Change?, _ measure: Measure) -> Table.Cell {
    guard let change else { return .text(nil) }
    return Table.Cell("\(change.end.text(measure.written))<small>\(change.difference.markup)</small>")
  }

  /// A sentence about a measure that got worse while the loss fell.
  private func warning(_ group: RunGroup, _ measure: Measure) -> Markup? {
    guard measure.key != Self.loss.key, let loss = change(group, Self.loss), loss.difference.judgement == .better,
      let change = change(group, measure), change.difference.judgement == .worse
    else { return nil }
    let run: Markup? = groups.count > 1 ? "\(breakable(group.name)): " : nil
    let (start, end) = (measure.written(change.start.mean), measure.written(change.end.mean))
    return """
      <li>\(run)\(breakable(measure.name)) got <span class="worse"><em>worse</em>, \(change.difference.text)</span> \
      (\(start) to \(end)), while the validation loss fell by \(fixed(abs(loss.difference.estimate.mean), 4)).</li>
      """
  }
}
