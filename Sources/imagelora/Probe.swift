// imagelora probe: influence scores of a run's examples.
import Adapters
import ArgumentParser
import Artifacts
import Collectives
import Files
import Training

struct Probe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the influence of every head on the run's examples.",
    discussion: """
      One backward pass over the frozen base model gives all estimators for an example; examples of the same images \
      share the forward pass, and images are packed as in training (training.micro_batch). The file \
      holds the values of every example, so that heads can be selected for any budget later without another pass. \
      Where adapter.heads.from_layer is set, only the layers from it on are measured: what enters them is computed \
      once and cached for the training. SIGUSR2, SIGTERM, SIGINT and SIGHUP end it after the examples at hand, with \
      status 1 and without a file.

      Examples:
        mpirun -n 4 imagelora probe run.yaml --output scores.h5
        imagelora probe run.yaml --output part-0.h5 --shard 0/8     (independent jobs, joined by imagelora scores merge)
      """)

  @OptionGroup var options: RunOptions

  @Option(help: "The scores file to write (HDF5).")
  var output: String

  @Option(help: ArgumentHelp("Probe only the i-th of n parts of the examples, from 0.", valueName: "i/n"))
  var shard: String?

  func run() throws {
    let part = try shard.map { text in
      guard let part = Shard(text), part.indices.count == 1 else {
        throw ValidationError("--shard \(text): give i/n with 0 <= i < n, as in 0/8")
      }
      return part
    }
    try onRanks { communicator in
      let signals = SignalRequests()
      try withErrorAgreement(communicator) { if communicator.rank == 0 { try checkWritable(output) } }
      let job = try Job(
        try options.configuration(communicator, output: output), communicator: communicator, warn: complain)
      let log = RunLog(output: say, isRoot: communicator.rank == 0)
      guard let scores = try job.influence(shard: part ?? .whole, log: log, signals: signals) else {
        throw TrainingError.interrupted(step: nil)
      }
      guard communicator.rank == 0 else { return }
      try saving(output) { try scores.write(to: output) }
      log.note("influence of \(scores.examples.count) examples on \(scores.probedWords): \(output)")
    }
  }
}
