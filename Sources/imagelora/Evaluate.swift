// imagelora evaluate: loss and task metrics on a run's validation examples.
import Adapters
import ArgumentParser
import Artifacts
import Batches
import Collectives
import Datasets
import Evaluation
import Files
import Preprocessing
import QwenVL
import RunFile
import Tensors
import Training

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Evaluate loss, token accuracy, exact match and box metrics on a run's validation examples.",
    discussion: """
      Give a checkpoint or an adapter folder, --base for the model without an adapter, or both for a table that shows \
      them side by side. Each example is the prompt up to its last answer, which the model generates greedily. If the \
      right answer is a point or a box, the model's answer is scored against the example's "objects": a point, or the \
      centre of a box, is correct if it lies in the box (half-open, original pixels). The model answers in the \
      coordinates of its family, or in those of data.coordinates. Other answers are scored by equality, or by the \
      scorer of the row or of data.scorer: normalized_exact_match, vqa_accuracy, anls or final_number. If examples have a "group", accuracy is also printed \
      for each of its values; where there are several files, also for each file. The metrics are bit-identical for any \
      number of ranks.

      SIGUSR2, SIGTERM, SIGINT and SIGHUP end it after the batch at hand, with status 1. The predictions of the \
      examples that are finished are then in FILE.incomplete, where --output names FILE.

      Examples:
        imagelora evaluate run.yaml --base --no-generate --limit 100
        imagelora evaluate run.yaml --checkpoint best.h5 --output answers.jsonl
        mpirun -n 4 imagelora evaluate run.yaml --checkpoint best.h5 --base
      """)

  @OptionGroup var options: RunOptions

  @Option(help: ArgumentHelp("The checkpoint whose adapter to evaluate.", valueName: "C.h5"))
  var checkpoint: String?

  @Option(
    help: ArgumentHelp(
      "An adapter folder to evaluate instead: from imagelora export, or a LoRA of PEFT.", valueName: "dir"))
  var adapter: String?

  @Flag(help: "Evaluate the base model without an adapter, alone or next to the adapted model.")
  var base = false

  @Option(
    help: ArgumentHelp(
      "Write prompt, reference, prediction and scores of every example and model (JSON Lines).", valueName: "file"))
  var output: String?

  @Flag(help: "Replace the file that --output names, if it is there.")
  var overwrite = false

  @Option(help: ArgumentHelp("Maximum length of an answer, in tokens.", valueName: "n"))
  var maxNewTokens = 64

  @Flag(inversion: .prefixedNo, help: "Generate answers; without them only loss and token accuracy are computed.")
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
    guard limit ?? 1 > 0 else { throw ValidationError("--limit \(limit ?? 0): evaluate at least 1 example") }
  }

  func run() throws {
    try onRanks { communicator in
      let signals = SignalRequests()
      let (run, model) = try options.configuration(communicator, output: output).openBase(communicator, warn: complain)
      let (files, models) = try withErrorAgreement(communicator) { try open(run, model) }
      let data = try run.prepareExamples(files, base: model, communicator: communicator, warn: complain)
      let examples = try data.examples(0..<min(limit ?? data.count, data.count))
      let evaluator = Evaluator(
        base: model, samples: data.samples, maxNewTokens: generate ? maxNewTokens : nil, scorer: run.data.scorer)
      var progress = Progress()
      let results = try evaluator.results(
        examples, tokens: data.tokens(of:), adapters: models.map(\.adapter), communicator: communicator,
        stopping: { signals.stopRequested }
      ) { done, total in
        if communicator.rank == 0, !json { progress.note("evaluate: \(done)/\(total) batches") }
      }
      try withErrorAgreement(communicator) { try model.requireUnchanged() }
      let finished = examples.indices.filter { index in results.allSatisfy { $0[index] != nil } }
      let columns = zip(models, results).map { (name: $0.name, results: $1.compactMap(\.self)) }
      let isWhole = finished.count == examples.count
      let written = isWhole ? output : finished.isEmpty ? nil : output.map(EvaluationInterrupted.file(beside:))
      if let written, communicator.rank == 0 {
        let lines = finished.enumerated().flatMap { place, index in
          columns.map { PredictionLine(examples[index], model: $0.name, $0.results[place]) }
        }
        try saving(written) { try PredictionLine.write(lines, to: written) }
      }
      guard isWhole else {
        throw RankFailure(
          shared: EvaluationInterrupted(finished: finished.count, total: examples.count, file: written))
      }
      guard communicator.rank == 0 else { return }
      let groups = examples.map(\.groups)
      if json {
        return try sayJSON(EvaluationDocument(file: data.file, leftOut: data.problems.count, groups: groups, columns))
      }
      for problem in data.problems.prefix(5) { say("left out   \(problem)") }
      data.remarks.forEach(say)
      say("\(examples.count) examples of \(data.file)")
      Metrics.table(columns.map { ($0.name, Metrics($0.results)) }).forEach(say)
      Metrics.table(by: groups, columns).forEach(say)
      if let line = Metrics.regression(columns.map { Metrics($0.results) }) { say("warning    \(line)") }
      if let output { say("wrote \(output)") }
    }
  }

  /// The files of examples and the named models to evaluate, checked before any example is read.
  private func open(
    _ run: RunConfiguration, _ model: BaseModel
  ) throws -> (files: ExampleFiles, models: [(name: String, adapter: (any ProjectionAdapter<Float>)?)]) {
    guard let files = run.validationFiles else {
      throw FileError(
        run.path, "neither data.validation nor data.validation_fraction is set",
        remedy: "name a file of examples there or with --set data.validation=examples.jsonl")
    }
    if let output { try checkNew(output, overwrite: overwrite) }
    var models: [(name: String, adapter: (any ProjectionAdapter<Float>)?)] = base ? [("base", nil)] : []
    if let source = checkpoint.map(AdapterSource.checkpoint) ?? adapter.map(AdapterSource.folder) {
      models.append(("adapted", try source.load(for: model, asIn: run)))
    }
    return (files, models)
  }
}

extension AdapterSource {
  /// The adapter for a run's base, with which it must agree in everything that it states.
  func load(for model: BaseModel, asIn run: RunConfiguration) throws -> any Adapter<Float> {
    let coordinates = run.data.coordinates ?? Coordinates(of: model.configuration.family)
    try provenance().requireMatch(
      AdapterProvenance(of: model, coordinates: coordinates), folder: model.folder, file: path)
    return try load(for: model)
  }
}
