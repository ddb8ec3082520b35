// Accuracy by the groups that examples state.
import Datasets
import Formatting

extension Metrics {
  /// The lines of a table for each key of the examples' groups: a line a value, in order, with its number of examples.
  ///
  /// Of places it shows point in box and IoU >= 0.5, of other answers exact match, without answers token accuracy. An
  /// example counts where its own group has the key.
  /// - Parameters:
  ///   - groups: an example's `[key: value]`, for each example.
  ///   - models: a column each, with a result for each example.
  package static func table(
    by groups: [[String: String]], _ models: [(name: String, results: [ExampleResult])]
  ) -> [String] {
    var lines: [String] = []
    for (key, values) in members(of: groups).sorted(by: { $0.key < $1.key }) {
      let parts = values.sorted { $0.key < $1.key }.map { value, examples in
        (value, models.map { model in Metrics(examples.map { model.results[$0] }) })
      }
      for (name, mean) in measures {
        let shown = parts.filter { mean($0.1[0]).count > 0 }
        guard !shown.isEmpty else { continue }
        let names = ["\(name) by \(key)"] + shown.map { "  \($0) (\(plural(mean($1[0]).count, "example")))" }
        let columns =
          [models.map(\.name) + (models.count == 2 ? ["difference"] : [])]
          + shown.map { cells($1.map { mean($0).value ?? 0 }, 2, scale: 100) }
        let width = max(28, names.map(\.count).max() ?? 0)
        lines += [""] + zip(names, columns).map { line($0, $1, width: width) }
      }
    }
    return lines
  }

  /// The indices of the examples with each value of each key.
  static func members(of groups: [[String: String]]) -> [String: [String: [Int]]] {
    var members: [String: [String: [Int]]] = [:]
    for (index, group) in groups.enumerated() {
      for (key, value) in group { members[key, default: [:]][value, default: []].append(index) }
    }
    return members
  }

  /// What is shown of an example's groups: scores of answers that are no places, where there are any.
  private static var measures: [(String, (Metrics) -> Mean)] {
    let byScorer = Scorer.allCases.map { scorer in
      (scorer.words, { (metrics: Metrics) in metrics.scores.first { $0.scorer == scorer }?.mean ?? Mean([]) })
    }
    return byScorer + [
      ("point in box", { $0.pointInBox }),
      ("IoU >= 0.5", { $0.iouAtHalf }),
      (
        "exact match",
        { metrics in
          let others = metrics.pointInBox.count + metrics.scores.reduce(0) { $0 + $1.mean.count }
          return others == metrics.examples ? Mean([]) : metrics.exactMatch
        }
      ),
      ("token accuracy", { $0.exactMatch.count > 0 ? Mean([]) : Mean(count: $0.examples, value: $0.tokenAccuracy) }),
    ]
  }
}
