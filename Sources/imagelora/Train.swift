// imagelora train: runs a training job.
import ArgumentParser
import Collectives
import RunFile
import Tensors
import Training

/// Arguments of every command that reads a run file.
struct RunOptions: ParsableArguments {
  @Argument(help: "The run file (YAML or JSON); paths in it are relative to its folder.")
  var runFile: String

  @Option(
    name: .customLong("set"), help: ArgumentHelp("Override one key, as in training.steps=20.", valueName: "key=value"))
  var overrides: [String] = []

  /// Before any command begins, since the numeric libraries hear of pinned kernels only as they are loaded. What is
  /// wrong with the run file is said later.
  func validate() throws {
    guard let run = try? RunConfiguration(path: runFile, overrides: overrides, notice: { _ in }),
      run.model.reproducible == .acrossProcessors
    else { return }
    PinnedKernels.pin()
  }

  /// Reads the run file on every rank, sets its number of GEMM threads and starts the watchdog.
  /// - Parameter output: what the command writes, near which the ranks keep the file of their heartbeats; nil: the
  ///   folder of checkpoints.
  func configuration(_ communicator: any Communicator, output: String? = nil) throws -> RunConfiguration {
    let run = try withErrorAgreement(communicator) {
      let run = try RunConfiguration(path: runFile, overrides: overrides) {
        if communicator.rank == 0 { complain($0) }
      }
      if run.model.reproducible == .acrossProcessors { try PinnedKernels.check(for: run.path) }
      return run
    }
    setGEMMThreads(run.model.threads)
    try watch(
      communicator, StallRules(timeout: run.logging.stallTimeoutSeconds, limit: run.logging.stallLimitSeconds),
      near: output ?? run.checkpoint.directory.resolved)
    return run
  }
}

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train an adapter: probe and select heads if the run asks for it, train, validate, checkpoint.",
    discussion: """
      Examples:
        imagelora train run.yaml
        mpirun -n 8 imagelora train run.yaml --resume auto --set training.learning_rate=1e-4
        imagelora train run.yaml --resume auto --extend --set training.epochs=5
        imagelora train run.yaml --set 'data.train=[clicks.jsonl, {path: charts.jsonl.gz, weight: 0.5}]'

      data.train takes a path or a list of files with weights; data.validation_fraction sets a part of them aside for \
      validation.

      SIGUSR1 saves a checkpoint after the next step. SIGUSR2, SIGTERM, SIGINT and SIGHUP save one and end the run. \
      Under mpirun, send SIGUSR1 or SIGUSR2 to mpirun, which forwards them to the ranks and waits for them.
      """)

  @OptionGroup var options: RunOptions

  @Option(help: ArgumentHelp("Resume from the newest valid checkpoint (auto) or a file.", valueName: "auto|path"))
  var resume: String?

  @Flag(
    help: ArgumentHelp(
      "Go on from the checkpoint with other keys of training than it was made with.",
      discussion: "Epochs, steps, global_batch, micro_batch, learning rates, schedule and warmup_steps may change."))
  var extend = false

  @Flag(help: "Take the folder of checkpoints from a run on another host that is gone.")
  var takeOver = false

  func validate() throws {
    guard !extend || resume != nil else { throw ValidationError("--extend goes on from a checkpoint: give --resume") }
  }

  func run() throws {
    try onRanks { communicator in
      let signals = SignalRequests()
      let run = try options.configuration(communicator)
      let resume: Resume =
        switch self.resume {
        case nil: .no
        case "auto": .newest
        case .some(let path): .from(path: path)
        }
      let job = try Job(run, communicator: communicator, warn: complain)
      let trainer = try Trainer(
        job, resume: resume, extends: extend, takesOver: takeOver, output: say,
        progress: isTerminal ? ProgressLine.show : nil,
        signals: signals)
      try trainer.run()
    }
  }
}
