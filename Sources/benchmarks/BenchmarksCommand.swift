// The program: one benchmark a subcommand.
import ArgumentParser
import Tensors

/// `benchmarks`
@main
struct BenchmarksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmarks",
    abstract: "Time what training is made of, against the product peak of this machine measured in the same run.",
    discussion: """
      Rates are of useful operations only, two a multiply-add of a product; elementwise work and work done twice count \
      nothing. Every share is a median of ratios to a square product that ran beside it.
      """,
    subcommands: [Products.self, AttentionCommand.self, Step.self, Growth.self])
}

/// Options that all of them take.
struct CommonOptions: ParsableArguments {
  @Option(help: "Threads of products.") var threads = 1
  @Option(help: "How often everything is measured.") var repeats = 5
  @Option(help: "Side of the square product that is taken for the peak.") var side = 2048

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

/// Refuses bf16 where it would only be imitated.
func requireInstructions(_ precision: Precision?) throws {
  guard precision != .bfloat16 || Precision.hasBFloat16Instructions else {
    throw ValidationError("--precision bf16: this processor has no bf16 instructions; use fp32")
  }
}
