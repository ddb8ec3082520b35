// imagelora plan: what a run will need, before it.
import ArgumentParser
import Collectives
import Planning

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say what a run will need: parameters, memory, operations, bytes reduced, time.",
    discussion: """
      No weights are read: config.json, the checkpoint's headers and the lengths of the rows are enough, and where \
      weights or data are not there yet, the plan says what it assumes instead. Heads that a probe will choose are \
      planned for at their worst, spread over all layers.

      Examples:
        imagelora plan run.yaml --nodes 4 --ranks-per-node 16 --gflops 60
        imagelora plan run.yaml --set model.max_pixels=602112
        imagelora plan run.yaml --tokens 2048 --visual-tokens 1800 --answer-tokens 24
        mpirun -n 8 imagelora plan run.yaml --measure     (what a full node reaches)
      """)

  @OptionGroup var options: RunOptions
  @Option(help: "Nodes of the job.") var nodes = 1
  @Option(help: "Ranks on a node; those that run this command unless stated.") var ranksPerNode: Int?
  @Option(help: "Rate of one rank in 10^9 operations a second, for a time estimate.") var gflops: Double?
  @Flag(help: "Measure that rate here, about two seconds; under mpirun on all ranks at once, and the slowest counts.")
  var measure = false
  @Option(help: "Plan for rows of so many tokens instead of the run's data.") var tokens: Int?
  @Option(help: "How many of them are visual.") var visualTokens: Int?
  @Option(help: "How many of them are supervised.") var answerTokens: Int?
  @Flag(help: "Print one JSON document instead of lines.") var json = false

  func validate() throws {
    for (name, value) in [("--nodes", nodes), ("--ranks-per-node", ranksPerNode ?? 1)]
    where !(1...65_536).contains(value) {
      throw ValidationError("\(name) \(value): give 1 to 65536")
    }
    if let gflops, !(gflops > 0 && gflops.isFinite) {
      throw ValidationError("--gflops \(gflops): give a number above 0")
    }
    guard gflops == nil || !measure else { throw ValidationError("--gflops and --measure: give one of them") }
    if let row = assumedExample {
      guard row.answerTokens > 0, row.visualTokens >= 0, row.tokens <= 1 << 20, row.visualTokens < row.tokens,
        row.answerTokens < row.tokens - row.visualTokens
      else {
        throw ValidationError(
          "--tokens \(row.tokens) hold no \(row.visualTokens) visual and \(row.answerTokens) supervised tokens: give "
            + "at most 1048576, with room for a prompt")
      }
    }
  }

  private var assumedExample: Plan.AssumedExample? {
    guard tokens != nil || visualTokens != nil || answerTokens != nil else { return nil }
    let usual = Plan.AssumedExample.usual
    return Plan.AssumedExample(
      tokens: tokens ?? usual.tokens, visualTokens: visualTokens ?? usual.visualTokens,
      answerTokens: answerTokens ?? usual.answerTokens)
  }

  func run() throws {
    try onRanks { communicator in
      let run = try options.configuration(communicator)
      let ranks = Plan.Ranks(nodes: nodes, perNode: ranksPerNode ?? communicator.size)
      var plan = try withErrorAgreement(communicator) { try Plan(run, ranks: ranks, assumed: assumedExample) }
      plan.gflops = measure ? try slowest(plan.measuredRate(), communicator) : gflops
      guard communicator.rank == 0 else { return }
      if json { try sayJSON(plan.document) } else { plan.lines.forEach(say) }
    }
  }

  private func slowest(_ rate: Double, _ communicator: any Communicator) throws -> Double {
    let rates = try communicator.allGather(withUnsafeBytes(of: rate, Array.init))
    return rates.map { bytes in bytes.withUnsafeBytes { $0.loadUnaligned(as: Double.self) } }.min() ?? rate
  }
}
