// imagelora evaluate: loss and task metrics on a run's validation rows.
import Adapters
import ArgumentParser
import Artifacts
import Batches
import Collectives
import Evaluation
import Files
import Preprocessing
import QwenVL
import RunFile
import Tensors
import Training

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

  @Option(help: ArgumentHelp("Evaluate the first n examples only.", valueName: "n"))
  var limit: Int?

  @Flag(help: "Print the metrics as one JSON document instead of tables.")
  var json = false

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
      let (file, models) = try withErrorAgreement(communicator) { try open(run, model) }
      let data = try run.prepareExamples(file, base: model, communicator: communicator)
      let rows = Array(data.rows.prefix(limit ?? data.rows.count))
      let evaluator = Evaluator(base: model, samples: data.samples, maxNewTokens: generate ? maxNewTokens : nil)
      var progress = Progress()
      let results = try evaluator.results(
        rows, tokens: data.tokens(of:), adapters: models.map(\.adapter), communicator: communicator
      ) { done, total in
        if communicator.rank == 0, !json { progress.note("evaluate: \(done)/\(total) examples of rank 0") }
      }
      guard communicator.rank == 0 else { return }
      let columns = zip(models, results).map { (name: $0.name, results: $1) }
      if let output {
        let lines = rows.indices.flatMap { row in
          columns.map { PredictionLine(rows[row], model: $0.name, $0.results[row]) }
        }
        try saving(output) { try PredictionLine.write(lines, to: output) }
      }
      let groups = rows.map(\.groups)
      if json {
        return try sayJSON(EvaluationDocument(file: file, leftOut: data.problems.count, groups: groups, columns))
      }
      for problem in data.problems.prefix(5) { say("left out   \(problem)") }
      say("\(rows.count) examples of \(file)")
      Metrics.table(columns.map { ($0.name, Metrics($0.results)) }).forEach(say)
      Metrics.table(by: groups, columns).forEach(say)
      if let output { say("wrote \(output)") }
    }
  }

  /// The file of rows and the models to evaluate by name, checked before any row is read.
  private func open(
    _ run: RunConfiguration, _ model: BaseModel
  ) throws -> (file: String, models: [(name: String, adapter: (any ProjectionAdapter<Float>)?)]) {
    guard let file = run.data.validation?.resolved else {
      throw FileError(
        run.path, "data.validation is not set",
        remedy: "name a file of examples there or with --set data.validation=examples.jsonl")
    }
    if let output { try checkWritable(output) }
    var models: [(name: String, adapter: (any ProjectionAdapter<Float>)?)] = base ? [("base", nil)] : []
    if let source = checkpoint.map(AdapterSource.checkpoint) ?? adapter.map(AdapterSource.folder) {
      let coordinates = run.data.coordinates ?? Coordinates(of: model.configuration.family)
      try source.provenance().requireMatch(
        AdapterProvenance(of: model, coordinates: coordinates), folder: model.folder, file: source.path)
      models.append(("adapted", try source.load(for: model)))
    }
    return (file, models)
  }
}
