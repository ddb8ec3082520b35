// What the models answered: scores side by side, by group where predictions name groups, and rows as examples.
import Datasets
import Evaluation

/// Tables and examples of predictions.
struct AnswersSection {
  /// A model of the comparison: the base, or a configuration's adapted one.
  struct Model {
    var name: String
    /// Which of the page's colours.
    var colour: Int
    /// A list a run.
    var runs: [[PredictionLine]]
  }

  private let models: [Model]
  private let examples: [ShownExample]
  /// What is not shown, and why.
  let omissions: [String]

  init(groups: [RunGroup], examples count: Int) {
    var models: [Model] = []
    // The base is the same for all runs of a model and file of rows: the first that has it tells.
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
    let pictures = ShownExamples(first)
    examples = pictures.examples(of: models, count: count)
    let named = models.contains { $0.runs.contains { $0.contains { $0.group != nil } } }
    omissions = pictures.omissions + (named ? [] : ["scores by group: the predictions name no groups"])
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
      row("rows", { grouped(Int($0.rounded())) }) { Double($0.rows) },
      row("loss a token", { fixed($0, 4) }) { $0.loss },
      row("token accuracy", percent) { $0.tokenAccuracy },
      row("exact match", percent) { $0.exactMatch.value },
      row("point in box", percent) { $0.pointInBox.value },
      row("IoU ≥ 0.5", percent) { $0.iouAtHalf.value },
      row("mean IoU", { fixed($0, 3) }) { $0.meanIoU.value },
      row("ended by the model", percent) { $0.finished.value },
    ]
    return Table(headings: ["validation rows"] + models.map(\.name), rows: rows.compactMap(\.self)).markup
  }

  /// Right answers by each key of the rows' groups.
  private var byGroup: Markup? {
    let keys = Set(models.flatMap { $0.runs.joined() }.flatMap { ($0.group ?? [:]).keys }).sorted()
    guard !keys.isEmpty else { return nil }
    let tables: [Markup] = keys.map { table(of: $0).markup }
    return """
      <h3>By group</h3><p class="note">Right answers: the place where one is asked for (a box by an IoU of at least 0.5), \
      otherwise every character.</p>\(tables)
      """
  }

  /// A row for each value that rows have under a key.
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
      headings: [key, "rows"] + models.map(\.name),
      rows: values.map { value in
        let counts = right.map { runs in runs.compactMap { $0[value] } }
        return [.text(value, isNumber: false), .text(grouped(counts.joined().map(\.count).max() ?? 0))]
          + counts.map { runs in
            .text(Estimate(runs.map { Double($0.count { $0 }) / Double($0.count) })?.text(percent))
          }
      })
  }

  private var legend: Markup {
    let places = examples.contains { !$0.pictures.allSatisfy(\.predictions.isEmpty) }
    let boxes = examples.contains { !$0.pictures.allSatisfy(\.boxes.isEmpty) }
    let truth: Markup? = boxes ? " <span class=\"key truth\"></span>The row's box." : nil
    let keys: [Markup] = models.map { "<span class=\"key s\($0.colour)\"></span>\($0.name)" }
    let found: Markup? =
      places ? " What a model named is a cross or a dashed box: \(keys.joined(separator: ", "))." : nil
    let name = models.last.map { $0.name == "adapted" ? "the adapted model" : $0.name } ?? "the model"
    return "Some rows that \(name) gets wrong, then some that it gets right.\(truth)\(found)"
  }
}
