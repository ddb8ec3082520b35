// The program: one benchmark a subcommand.
import ArgumentParser
import Tensors

/// `benchmarks`
@main
struct BenchmarksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmarks",
    abstract: "Time the parts of training, and compare them with this machine's GEMM peak measured in the same run.",
    discussion: """
      Rates are of model FLOPs, two for each multiply-add of a GEMM; elementwise work and recomputation do not count. \
      Every utilization is the median of ratios to a square GEMM that ran in the same repeat.
      """,
    subcommands: [
      GEMMCommand.self, AttentionCommand.self, DeltaRuleCommand.self, Step.self, Growth.self, AllReduceCommand.self,
    ])
}

/// Options of all subcommands.
struct CommonOptions: ParsableArguments {
  @Option(help: "Number of GEMM threads.") var threads = 1
  @Option(help: "Number of repeats of every measurement.") var repeats = 5
  @Option(help: "Side of the square GEMM that measures the peak.") var side = 2048

  func validate() throws {
    for (name, value, limit) in [
      ("--threads", threads, 1024), ("--repeats", repeats, 10_000), ("--side", side, 1 << 15),
    ]
    where !(1...limit).contains(value) {
      throw ValidationError("\(name) \(value): give 1 to \(limit)")
    }
  }
}

extension Precision: ExpressibleByArgument {}

/// Refuses bf16 if the processor could only emulate it.
func requireInstructions(_ precision: Precision?) throws {
  if precision == .bfloat16, let obstacle = Precision.obstacleToBFloat16 {
    throw ValidationError("--precision bf16: \(obstacle); use fp32")
  }
}
