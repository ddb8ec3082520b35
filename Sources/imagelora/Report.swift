// imagelora report: a page about finished or running runs.
import ArgumentParser
import Report

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write one HTML page about runs: curves, comparison, influence, answers on their pictures.",
    discussion: """
      A RUN is the folder of a run's checkpoints: run.yaml, metrics.jsonl, step-*.h5, and predictions.jsonl of \
      evaluate --output where there is one. Runs that differ in their seeds alone are shown as mean and interval. What \
      a folder lacks is left out, and the page says why. The page needs no network and no script.

      Examples:
        imagelora report checkpoints
        imagelora report seed-0 seed-1 seed-2 rank-16 --output comparison.html --title "Rank 8 and 16"
        imagelora report checkpoints --predictions answers.jsonl
      """)

  @Argument(help: ArgumentHelp("Folders of runs' checkpoints.", valueName: "run"))
  var runs: [String]

  @Option(help: "The page to write (HTML).")
  var output = "report.html"

  @Option(
    help: ArgumentHelp(
      "A file of evaluate --output instead of the run's own predictions.jsonl; with several runs one for each, in order.",
      valueName: "file"))
  var predictions: [String] = []

  @Option(help: "The page's title.")
  var title: String?

  @Option(help: ArgumentHelp("Rows whose pictures and answers are shown.", valueName: "n"))
  var examples = 12

  func validate() throws {
    guard predictions.isEmpty || predictions.count == runs.count else {
      throw ValidationError(
        "--predictions is given \(predictions.count) times for \(runs.count) runs: give one for each")
    }
    guard (0...1000).contains(examples) else { throw ValidationError("--examples \(examples): give 0 to 1000") }
  }

  func run() throws {
    try onRanks { communicator in
      guard communicator.rank == 0 else { return }
      let page = try ReportPage(folders: runs, predictions: predictions, title: title, examples: examples)
      for omission in page.omissions { say("left out   \(omission)") }
      try saving(output) { try page.write(to: output) }
      say("wrote \(output)")
    }
  }
}
