// The page about one or several runs: one self-contained file.
import Files
import Formatting
import Foundation

/// A report as HTML. It is a pure function of the runs' files.
package struct ReportPage {
  private let runs: [ReportedRun]
  private let groups: [RunGroup]
  private let title: String
  private let answers: AnswersSection

  /// Reads the runs.
  /// - Parameters:
  ///   - folders: the checkpoint folders of the runs, at least one.
  ///   - predictions: one file for each run, in order; if empty, the runs' own files.
  ///   - examples: number of examples to show with their images and answers.
  /// - Throws: `FileError` for a folder that is not a run, and the error of a file that cannot be used at all.
  package init(folders: [String], predictions: [String], title: String?, examples: Int) throws {
    precondition(!folders.isEmpty && (predictions.isEmpty || predictions.count == folders.count))
    var runs = try folders.enumerated().map { index, folder in
      try ReportedRun(folder: folder, predictions: predictions.isEmpty ? nil : predictions[index])
    }
    for (index, name) in runNames(runs.map(\.naming)).enumerated() { runs[index].name = name }
    self.runs = runs
    groups = RunGroup.all(of: runs)
    self.title = title ?? (runs.count == 1 ? "Run \(runs[0].name)" : "\(runs.count) runs")
    answers = AnswersSection(groups: groups, examples: examples)
  }

  /// What is not in the page, and why, one line each.
  package var omissions: [String] {
    runs.flatMap { run in run.omissions.map { "\(run.name): \($0)" } } + answers.omissions
  }

  /// The complete file.
  package var html: String {
    let sections: [(id: String, name: String, body: Markup?)] = [
      ("comparison", runs.count == 1 ? "Summary" : "Comparison", ComparisonSection(groups: groups).body),
      ("validation", "Validation", ValidationSection(groups: groups).body),
      ("curves", "Curves", CurvesSection(groups: groups).body),
      ("heads", "Influence and heads", headMaps),
      ("answers", "Answers", answers.body),
      ("facts", "Run facts", FactsSection(runs: runs).body),
      ("omissions", "Left out", leftOut),
    ]
    let shown = sections.filter { $0.body != nil }
    let links: [Markup] = shown.map { "<a href=\"#\($0.id)\">\($0.name)</a>" }
    let bodies: [Markup] = shown.map { "<section id=\"\($0.id)\"><h2>\($0.name)</h2>\n\($0.body)</section>\n" }
    let page: Markup = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <link rel="icon" href="data:,">
      <title>\(title)</title>
      <style>
      \(PageStyle.css)
      </style>
      </head>
      <body>
      <header><h1>\(breakable(title))</h1><p>\(subtitle)</p><nav>\(links)</nav></header>
      <main>
      \(bodies)</main>
      </body>
      </html>

      """
    return page.source
  }

  /// Writes the file completely or not at all.
  /// - Throws: `FileError` with the system's message.
  package func write(to path: String) throws { try writeAtomically(Data(html.utf8), to: path) }

  private var subtitle: String {
    let models = Set(runs.map { URL(fileURLWithPath: $0.run.model.path.resolved).lastPathComponent }).sorted()
    let seeds = groups.contains { $0.runs.count > 1 } ? " in \(plural(groups.count, "configuration"))" : ""
    return "imagelora, \(plural(runs.count, "run"))\(seeds) of \(models.joined(separator: ", "))"
  }

  private var headMaps: Markup? {
    let maps: [Markup] = runs.compactMap { run in
      run.checkpoint?.selection.map { HeatMapFigure(title: run.name, selection: $0).figure }
    }
    guard !maps.isEmpty else { return nil }
    return """
      <p class="note">Influence of every head on the loss, on a log scale; a head with an outline and a dot has an \
      adapter.</p>
      <div class="row">\(maps)</div>

      """
  }

  private var leftOut: Markup? {
    guard !omissions.isEmpty else { return nil }
    let items: [Markup] = omissions.map { "<li>\(breakable($0))</li>" }
    return "<ul class=\"omissions\">\(items)</ul>"
  }
}
