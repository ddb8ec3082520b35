// imagelora evaluate: loss and task metrics on a run's validation rows.
import Adapters
import ArgumentParser
import Collectives
import Evaluation
import QwenVL
import RunFile
import Tensors
import Training
import Units

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Loss, token accuracy, exact match and box metrics on a run's validation rows.",
    discussion: """
      Give a checkpoint or an adapter's folder, --base for the model without an adapter, or both for a table side by side. Answers are \
      generated greedily from each row up to its last answer. Rows whose answer is a point or a box are scored against \
      the row's "objects": a point, or a box's centre, counts where it lies in the box (half-open, original pixels); \
      what the model writes is in the coordinates of its family, or those of data.coordinates. Where rows state a \
      "group", accuracy is printed for each of its values. The numbers are the same in every bit for any \
      number of ranks.

      Examples:
        imagelora evaluate run.yaml --base --no-generate --limit 100
        imagelora evaluate run.yaml --checkpoint best.h5 --output answers.jsonl
        mpirun -n 4 imagelora evaluate run.yaml --checkpoint best.h5 --base
      """)

  @OptionGroup var options: RunOptions

  @Option(help: ArgumentHelp("The checkpoint whose adapter is evaluated.", valueName: "C.h5"))
  var checkpoint: String?

  @Option(
    help: ArgumentHelp(
      "A folder of imagelora export, or a LoRA of PEFT, that is evaluated instead of a checkpoint.", valueName: "dir"))
  var adapter: String?

  @Flag(help: "Evaluate the base model without an adapter, too or alone.")
  var base = false

  @Option(
    help: ArgumentHelp(
      "Write a line for every row and model: prompt, reference, prediction, scores (JSON Lines).", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Longest answer in tokens.", valueName: "n"))
  var maxNewTokens = 64

  @Flag(inversion: .prefixedNo, help: "Generate answers; without them there are only loss and token accuracy.")
  var generate = true

  @Option(help: ArgumentHelp("Evaluate the first n rows only.", valueName: "n"))
  var limit: Int?

  func validate() throws {
    guard base || checkpoint != nil || adapter != nil else {
      throw ValidationError("give --checkpoint C.h5 or --adapter DIR, --base, or both")
    }
    guard checkpoint == nil || adapter == nil else { throw ValidationError("give --checkpoint or --adapter, not both") }
    guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens \(maxNewTokens): an answer has at least 1") }
    guard limit ?? 1 > 0 else { throw ValidationError("--limit \(limit ?? 0): evaluate at least 1 row") }
  }

  func run() throws {
    try onRanks { communicator in
      let (run, model) = try options.configuration(communicator).openBase(communicator, warn: complain)
      let (file, models) = try together(communicator) { try open(run, model) }
      let data = try PreparedRows(file, run: run, base: model, communicator: communicator)
      let rows = Array(data.rows.prefix(limit ?? data.rows.count))
      let evaluator = Evaluator(base: model, samples: data.samples, maxNewTokens: generate ? maxNewTokens : nil)
      var progress = Progress()
      let results = try evaluator.results(
        rows, tokens: data.tokens(of:), adapters: models.map(\.adapter), communicator: communicator
      ) { done, total in
        if communicator.rank == 0 { progress.note("evaluate: \(done)/\(total) rows of rank 0") }
      }
      guard communicator.rank == 0 else { return }
      for problem in data.problems.prefix(5) { say("left out   \(problem)") }
      say("\(rows.count) rows of \(file)")
      let columns = zip(models, results).map { (name: $0.name, results: $1) }
      Metrics.table(columns.map { ($0.name, Metrics($0.results)) }).forEach(say)
      Metrics.table(by: rows.map(\.groups), columns).forEach(say)
      if let output {
        let lines = rows.indices.flatMap { row in
          zip(models, results).map { PredictionLine(rows[row], model: $0.name, $1[row]) }
        }
        try saving(output) { try PredictionLine.write(lines, to: output) }
        say("wrote \(output)")
      }
    }
  }

  /// The file of rows and the models to evaluate by name, checked before any row is read.
  private func open(
    _ run: RunConfiguration, _ model: BaseModel
  ) throws -> (file: String, models: [(name: String, adapter: (any ProjectionAdapter<Float>)?)]) {
    guard let file = run.data.validation?.resolved else {
      throw EvaluationError.file(
        run.path,
        problem: "data.validation is not set; name a file of rows there or with --set data.validation=rows.jsonl")
    }
    if let output { try checkWritable(output) }
    var models: [(name: String, adapter: (any ProjectionAdapter<Float>)?)] = base ? [("base", nil)] : []
    if let source = checkpoint.map(AdapterSource.checkpoint) ?? adapter.map(AdapterSource.folder) {
      try source.conditions().require(of: model, file: source.path) { "model.\($0): \($1) in the run file" }
      models.append(("adapted", try source.load(for: model)))
    }
    return (file, models)
  }
}

/// Says now and then how far a longer piece of work is: at most a line in ten seconds.
struct Progress {
  private var said = ContinuousClock.now

  mutating func note(_ line: String) {
    guard ContinuousClock.now - said > .seconds(10) else { return }
    said = .now
    say(line)
  }
}
