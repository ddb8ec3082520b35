// imagelora predict: answers to rows, which need none of their own.
import Adapters
import ArgumentParser
import Artifacts
import Batches
import Collectives
import Datasets
import Digests
import Evaluation
import Files
import Preprocessing
import QwenVL
import RunFile
import Training

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer the prompts of a file of rows.",
    discussion: """
      Each row is asked for what follows its messages, or in place of its last answer where it ends with one. The model, \
      its pixel limits and how rows are read are the run file's; data.image_root is where relative image paths start. \
      Without --temperature decoding is greedy. Answers are the same bytes for any number of ranks.

      A line of the output has id, prompt, prediction, finished, and reference where the row has an answer. Answers are \
      kept in FILE.incomplete as they come, where --output names FILE: the same command goes on after a signal or a kill.

      Examples:
        imagelora predict run.yaml --rows new.jsonl --checkpoint checkpoints/best.h5 --output answers.jsonl
        mpirun -n 4 imagelora predict run.yaml --rows new.jsonl --adapter my-adapter --output answers.jsonl
        imagelora predict run.yaml --rows new.jsonl --base --temperature 0.7 --top-p 0.8 --seed 1 --output answers.jsonl
      """)

  @OptionGroup var options: RunOptions
  @Option(help: ArgumentHelp("The rows to answer, in any form that data.train takes.", valueName: "file")) var rows:
    String
  @Option(help: ArgumentHelp("Where the answers go (JSON Lines).", valueName: "file")) var output: String
  @Flag(help: "Replace the file that --output names, if it is there.") var overwrite = false
  @Option(help: ArgumentHelp("The checkpoint whose adapter to use.", valueName: "C.h5")) var checkpoint: String?
  @Option(help: ArgumentHelp("An adapter folder to use: from imagelora export, or a LoRA of PEFT.", valueName: "dir"))
  var adapter: String?
  @Flag(help: "Use the base model without an adapter.") var base = false
  @Option(help: ArgumentHelp("Maximum length of an answer, in tokens.", valueName: "n")) var maxNewTokens = 128
  @OptionGroup var decoding: DecodingOptions

  func validate() throws {
    guard [checkpoint != nil, adapter != nil, base].count(where: { $0 }) == 1 else {
      throw ValidationError("give one of --checkpoint C.h5, --adapter DIR and --base")
    }
    guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens \(maxNewTokens): an answer has at least 1") }
  }

  func run() throws {
    try onRanks { communicator in
      let signals = SignalRequests()
      let (run, model) = try options.configuration(communicator, output: output).openBase(communicator, warn: complain)
      let loaded = try withErrorAgreement(communicator) {
        try checkNew(output, overwrite: overwrite)
        return try load(for: model, run)
      }
      let files = ExampleFiles(rows, reader: run.data.exampleReader)
      let data = try run.prepareExamples(
        files, for: .asking, base: model, communicator: communicator, warn: complain)
      let examples = try data.examples(0..<data.count)
      var kept = try withErrorAgreement(communicator) {
        try KeptReplies(beside: output, identity: identity(of: model, loaded, data))
      }
      try requireSame("\(kept.replies.count)", what: "answers in \(kept.path)", communicator)
      let known = Set(examples.indices.filter { kept.replies[ExactString(examples[$0].id)] != nil })
      if communicator.rank == 0, !known.isEmpty { say("going on    \(known.count) answers are in \(kept.path)") }
      let evaluator = Evaluator(
        base: model, samples: data.samples, maxNewTokens: maxNewTokens, decoding: decoding.decoding)
      var progress = Progress()
      let isWhole = try evaluator.answers(
        examples, tokens: data.tokens(of:), adapter: loaded, except: known, communicator: communicator,
        stopping: { signals.stopRequested }
      ) { answers, done in
        guard communicator.rank == 0 else { return }
        try kept.keep(answers.map { Reply(examples[$0.example], $0.answer) })
        progress.note("predict: \(done)/\(examples.count) rows")
      }
      try withErrorAgreement(communicator) {
        try model.requireUnchanged()
        if communicator.rank == 0, isWhole { try saving(output) { try kept.finish(examples, to: output) } }
      }
      guard isWhole else {
        let finished = try communicator.broadcast(Array("\(kept.replies.count)".utf8), from: 0)
        throw RankFailure(
          shared: EvaluationInterrupted(
            finished: Int(String(decoding: finished, as: UTF8.self)) ?? 0, total: examples.count, file: kept.path))
      }
      guard communicator.rank == 0 else { return }
      for problem in data.problems.prefix(5) { say("left out   \(problem)") }
      data.remarks.forEach(say)
      say("wrote \(output): answers to \(examples.count) rows of \(rows)")
    }
  }

  private func load(for model: BaseModel, _ run: RunConfiguration) throws -> (any Adapter<Float>)? {
    let source = checkpoint.map(AdapterSource.checkpoint) ?? adapter.map(AdapterSource.folder)
    return try source?.load(for: model, asIn: run)
  }

  /// A digest of everything that answers depend on.
  private func identity(of model: BaseModel, _ adapter: (any Adapter<Float>)?, _ data: PreparedExamples) -> String {
    let parameters = adapter.map { SHA256.hex($0.parameters.values.withUnsafeBytes(Array.init)) } ?? "base"
    let provenance = AdapterProvenance(of: model, coordinates: data.samples.coordinates)
    return SHA256.hex(
      "\(provenance) \(model.precision) \(parameters) \(data.digest) \(data.imagesDigest) \(maxNewTokens) \(decoding.decoding)"
    )
  }
}
