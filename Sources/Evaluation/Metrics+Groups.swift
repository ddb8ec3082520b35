// Accuracy told apart by the groups that rows state.

extension Metrics {
  /// The lines of a table for each key of the rows' groups: a line a value, in order, with its number of rows.
  ///
  /// Of places it shows point in box and IoU >= 0.5, of other answers exact match, without answers token accuracy. A
  /// row counts where its own group has the key.
  /// - Parameters:
  ///   - groups: a row's `[key: value]`, for each row.
  ///   - models: a column each, with a result for each row.
  public static func table(
    by groups: [[String: String]], _ models: [(name: String, results: [RowResult])]
  ) -> [String] {
    var lines: [String] = []
    for key in Set(groups.flatMap(\.keys)).sorted() {
      let values = Dictionary(grouping: groups.indices.filter { groups[$0][key] != nil }) { groups[$0][key] ?? "" }
      let parts = values.sorted { $0.key < $1.key }.map { value, rows in
        (value, models.map { model in Metrics(rows.map { model.results[$0] }) })
      }
      for (name, mean) in measures {
        let shown = parts.filter { mean($0.1[0]).count > 0 }
        guard !shown.isEmpty else { continue }
        let names = ["\(name) by \(key)"] + shown.map { "  \($0) (\(mean($1[0]).count) rows)" }
        let columns =
          [models.map(\.name) + (models.count == 2 ? ["difference"] : [])]
          + shown.map { cells($1.map { mean($0).value ?? 0 }, 2, scale: 100) }
        let width = max(28, names.map(\.count).max() ?? 0)
        lines += [""] + zip(names, columns).map { line($0, $1, width: width) }
      }
    }
    return lines
  }

  private static let measures: [(String, @Sendable (Metrics) -> Mean)] = [
    ("point in box", { $0.pointInBox }),
    ("IoU >= 0.5", { $0.iouAtHalf }),
    ("exact match", { $0.pointInBox.count == $0.rows ? Mean([]) : $0.exactMatch }),
    ("token accuracy", { $0.exactMatch.count > 0 ? Mean([]) : Mean(count: $0.rows, value: $0.tokenAccuracy) }),
  ]
}
