// What the models answered: metrics side by side, also by group if predictions have groups, and some examples.
import Datasets
import Evaluation
import Formatting

/// Tables and examples of predictions.
struct AnswersSection {
  /// A model of the comparison: the base model, or the adapted model of a configuration.
  struct Model {
    var name: String
    /// Index of one of the page's colours.
    var colour: Int
    /// One list for each run.
    var runs: [[PredictionLine]]
  }

  private let models: [Model]
  private let examples: [ShownExample]
  /// What is not shown, and why.
  let omissions: [String]
  /// Why models' values cannot be compared; nil where all were asked the same.
  private let otherExamples: String?

  init(groups: [RunGroup], examples count: Int) {
    var models: [Model] = []
    // The base model is the same for all runs of a model and a file of examples: the first run that has it suffices.
    if let base = groups.flatMap(\.runs).map({ $0.predictions(of: "base") }).first(where: { !$0.isEmpty }) {
      models.append(Model(name: "base", colour: LineChart.colours - 1, runs: [base]))
    }
    for group in groups {
      let runs = group.runs.map { $0.predictions(of: "adapted") }.filter { !$0.isEmpty }
      guard !runs.isEmpty else { continue }
      models.append(Model(name: groups.count == 1 ? "adapted" : group.name, colour: group.index, runs: runs))
    }
    self.models = models
    otherExamples = Self.otherExamples(models)
    guard let first = groups.flatMap(\.runs).first(where: { $0.predictions != nil }) else {
      (examples, omissions) = ([], [])
      return
    }
    let shown = ShownExamples(first)
    examples = shown.examples(of: models, count: count)
    let named = models.contains { $0.runs.contains { $0.contains { $0.group != nil } } }
    omissions = shown.omissions + (named ? [] : ["metrics by group: the predictions have no groups"])
  }

  var body: Markup? {
    guard !models.isEmpty else { return nil }
    let figures: [Markup] = examples.map(\.figure)
    let shown: Markup? =
      figures.isEmpty
      ? nil
      : """
      <h3>Examples</h3><p class="note">\(legend)</p><div class="gallery">\(figures)</div>

      """
    return "\(scores)\(byGroup)\(shown)"
  }

  // MARK: - Tables

  /// A value of every model, and of each but the base model the difference from it; nil where no run has a value.
  /// - Parameters:
  ///   - values: of every model's runs that have one.
  ///   - lessIsBetter: nil for what is neither good nor bad.
  private func row(
    _ name: [Table.Cell], _ values: [[Double]], lessIsBetter: Bool? = false, written: (Double) -> String,
    difference: Difference.Format = .points
  ) -> [Table.Cell]? {
    guard values.contains(where: { !$0.isEmpty }) else { return nil }
    let base = comparesWithBase ? values.first?.first : nil
    return name
      + values.enumerated().flatMap { index, values -> [Table.Cell] in
        let cell = Table.Cell.text(Estimate(values)?.text(written))
        guard comparesWithBase, index > 0 else { return [cell] }
        let change = lessIsBetter.flatMap { lessIsBetter in
          base.flatMap { base in Estimate(values.map { $0 - base }) }.map {
            Difference($0, lessIsBetter: lessIsBetter, difference)
          }
        }
        return [cell, Table.Cell("\(change?.markup)")]
      }
  }

  /// Headings of what `row` makes.
  private var modelHeadings: [String] {
    models.enumerated().flatMap { index, model in
      comparesWithBase && index > 0 ? [model.name, "against base"] : [model.name]
    }
  }

  /// Whether there is a base model that was asked the same as all others.
  private var comparesWithBase: Bool { models.count > 1 && models[0].name == "base" && otherExamples == nil }

  private static func otherExamples(_ models: [Model]) -> String? {
    let asked = models.flatMap { model in model.runs.map { (model.name, MeasuredOn.digest(of: $0), $0.count) } }
    guard Set(asked.map(\.1)).count > 1 else { return nil }
    let counts = asked.prefix(5).map { "\($0.0) \(plural($0.2, "example"))" }.joined(separator: ", ")
    return "These models answered different examples, so that their values do not compare: \(counts)."
  }

  private var scores: Markup {
    let metrics = models.map { $0.runs.map { lines in Metrics(lines.map(\.result)) } }
    func row(
      _ name: String, lessIsBetter: Bool? = false, _ written: (Double) -> String,
      difference: Difference.Format = .points, _ value: (Metrics) -> Double?
    ) -> [Table.Cell]? {
      self.row(
        [.text(name, isNumber: false)], metrics.map { $0.compactMap(value) }, lessIsBetter: lessIsBetter,
        written: written, difference: difference)
    }
    let rows = [
      row("examples", lessIsBetter: nil, { grouped(Int($0.rounded())) }) { Double($0.examples) },
      row("loss per token", lessIsBetter: true, { fixed($0, 4) }, difference: .decimals(4)) { $0.loss },
      row("token accuracy", percent) { $0.tokenAccuracy },
      row("exact match", percent) { $0.exactMatch.value },
      row("point in box", percent) { $0.pointInBox.value },
      row("IoU ≥ 0.5", percent) { $0.iouAtHalf.value },
      row("mean IoU", { fixed($0, 3) }, difference: .decimals(3)) { $0.meanIoU.value },
      row("ended by the model", lessIsBetter: nil, percent) { $0.finished.value },
    ]
    let note: Markup? = otherExamples.map { "<p class=\"note\">\(breakable($0))</p>" }
    let table = Table(headings: ["validation examples"] + modelHeadings, rows: rows.compactMap(\.self))
    return "\(note)\(table.markup)"
  }

  /// Share of right answers, by each key of the examples' groups.
  private var byGroup: Markup? {
    let keys = Set(models.flatMap { $0.runs.joined() }.flatMap { ($0.group ?? [:]).keys }).sorted()
    guard !keys.isEmpty else { return nil }
    let tables: [Markup] = keys.map { table(of: $0).markup }
    return """
      <h3>By group</h3><p class="note">Share of right answers. An answer that is a place is right if its point lies in \
      the box, or its box has an IoU of at least 0.5. Any other answer must match exactly.</p>\
      <div class="row">\(tables)</div>
      """
  }

  /// A table row for each value that examples have under a key.
  private func table(of key: String) -> Table {
    // `[model][run][value]`
    let right = models.map { model in
      model.runs.map { lines in
        Dictionary(grouping: lines.filter { $0.isRight != nil && $0.group?[key] != nil }) { $0.group?[key] ?? "" }
          .mapValues { lines in lines.map { $0.isRight == true } }
      }
    }
    let values = Set(right.joined().flatMap(\.keys)).sorted()
    let rows = values.compactMap { value in
      let counts = right.map { runs in runs.compactMap { $0[value] } }
      return row(
        [.text(value, isNumber: false), .text(grouped(counts.joined().map(\.count).max() ?? 0))],
        counts.map { runs in runs.map { Double($0.count { $0 }) / Double($0.count) } }, written: percent)
    }
    return Table(headings: [key, "examples"] + modelHeadings, rows: rows)
  }

  private var legend: Markup {
    let places = examples.contains { !$0.images.allSatisfy(\.predictions.isEmpty) }
    let boxes = examples.contains { !$0.images.allSatisfy(\.boxes.isEmpty) }
    let truth: Markup? = boxes ? " <span class=\"key truth\"></span>The example's box." : nil
    let keys: [Markup] = models.map {
      "<span class=\"key s\($0.colour % LineChart.colours)\"></span>\(breakable($0.name))"
    }
    let found: Markup? =
      places ? " A model's answer is a ring with hairs or a dashed box: \(keys.joined(separator: ", "))." : nil
    let name = models.last.map { $0.name == "adapted" ? "the adapted model" : $0.name } ?? "the model"
    return "Some examples that \(name) gets wrong, then some that it gets right.\(truth)\(found)"
  }
}
