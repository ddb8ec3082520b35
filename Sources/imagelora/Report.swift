// imagelora report: a page about finished or running runs.
import ArgumentParser
import Report

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write one HTML page about runs: curves, comparison, influence, and answers drawn on images.",
    discussion: """
      A RUN is a run's checkpoint folder: run.yaml, metrics.jsonl, step-*.h5 and, if there is one, the \
      predictions.jsonl that evaluate --output wrote. Runs that differ only in their seeds are shown as mean and \
      interval. What a folder lacks is left out, and the page states why. The page needs no network and no script.

      Examples:
        imagelora report checkpoints
        imagelora report seed-0 seed-1 seed-2 rank-16 --output comparison.html --title "Rank 8 and 16"
        imagelora report checkpoints --predictions answers.jsonl
      """)

  @Argument(help: ArgumentHelp("Checkpoint folders of the runs.", valueName: "run"))
  var runs: [String]

  @Option(help: "The page to write (HTML).")
  var output = "report.html"

  @Option(
    help: ArgumentHelp(
      "Predictions of evaluate --output to use instead of the run's predictions.jsonl; one for each run, in order.",
      valueName: "file"))
  var predictions: [String] = []

  @Option(help: "The page's title.")
  var title: String?

  @Option(help: ArgumentHelp("Number of examples to show with their images and answers.", valueName: "n"))
  var examples = 12

  func validate() throws {
    guard predictions.isEmpty || predictions.count == runs.count else {
      throw ValidationError(
        "--predictions is given \(predictions.count) times for \(runs.count) runs: give one for each")
    }
    guard (0...1000).contains(examples) else { throw ValidationError("--examples \(examples): give 0 to 1000") }
  }

  func run() throws {
    try onFirstRank {
      let page = try ReportPage(folders: runs, predictions: predictions, title: title, examples: examples)
      for omission in page.omissions { say("left out   \(omission)") }
      try saving(output) { try page.write(to: output) }
      say("wrote \(output)")
    }
  }
}
