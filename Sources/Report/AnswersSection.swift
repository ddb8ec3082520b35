// What the models answered: metrics side by side, also by group if predictions have groups, and some examples.
import Datasets
import Evaluation

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

  private var scores: Markup {
    let metrics = models.map { $0.runs.map { lines in Metrics(lines.map(\.result)) } }
    func row(_ name: String, _ written: (Double) -> String, _ value: (Metrics) -> Double?) -> [Table.Cell]? {
      let cells = metrics.map { runs in Estimate(runs.compactMap(value)) }
      guard cells.contains(where: { $0 != nil }) else { return nil }
      return [.text(name, isNumber: false)] + cells.map { .text($0?.text(written)) }
    }
    let rows = [
      row("examples", { grouped(Int($0.rounded())) }) { Double($0.examples) },
      row("loss per token", { fixed($0, 4) }) { $0.loss },
      row("token accuracy", percent) { $0.tokenAccuracy },
      row("exact match", percent) { $0.exactMatch.value },
      row("point in box", percent) { $0.pointInBox.value },
      row("IoU ≥ 0.5", percent) { $0.iouAtHalf.value },
      row("mean IoU", { fixed($0, 3) }) { $0.meanIoU.value },
      row("ended by the model", percent) { $0.finished.value },
    ]
    return Table(headings: ["validation examples"] + models.map(\.name), rows: rows.compactMap(\.self)).markup
  }

  /// Share of right answers, by each key of the examples' groups.
  private var byGroup: Markup? {
    let keys = Set(models.flatMap { $0.runs.joined() }.flatMap { ($0.group ?? [:]).keys }).sorted()
    guard !keys.isEmpty else { return nil }
    let tables: [Markup] = keys.map { table(of: $0).markup }
    return """
      <h3>By group</h3><p class="note">Share of right answers. An answer that is a place is right if its point lies in \
      the box, or its box has an IoU of at least 0.5. Any other answer must match exactly.</p>\(tables)
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
    return Table(
      headings: [key, "examples"] + models.map(\.name),
      rows: values.map { value in
        let counts = right.map { runs in runs.compactMap { $0[value] } }
        return [.text(value, isNumber: false), .text(grouped(counts.joined().map(\.count).max() ?? 0))]
          + counts.map { runs in
            .text(Estimate(runs.map { Double($0.count { $0 }) / Double($0.count) })?.text(percent))
          }
      })
  }

  private var legend: Markup {
    let places = examples.contains { !$0.images.allSatisfy(\.predictions.isEmpty) }
    let boxes = examples.contains { !$0.images.allSatisfy(\.boxes.isEmpty) }
    let truth: Markup? = boxes ? " <span class=\"key truth\"></span>The example's box." : nil
    let keys: [Markup] = models.map { "<span class=\"key s\($0.colour)\"></span>\($0.name)" }
    let found: Markup? =
      places ? " A model's answer is a cross or a dashed box: \(keys.joined(separator: ", "))." : nil
    let name = models.last.map { $0.name == "adapted" ? "the adapted model" : $0.name } ?? "the model"
    return "Some examples that \(name) gets wrong, then some that it gets right.\(truth)\(found)"
  }
}
