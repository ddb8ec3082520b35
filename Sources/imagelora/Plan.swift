// imagelora plan: what a run will need, before it starts.
import ArgumentParser
import Collectives
import Costs
import Planning

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Estimate what a run will need: parameters, memory, FLOPs, all-reduce payload, time.",
    discussion: """
      The plan reads no weights, only config.json, the headers of the weight files and the lengths of the examples. It \
      refuses weights that train would refuse. If weights or data do not exist yet, it states its assumptions. Heads that a probe has yet to select are assumed to \
      be spread over all layers, the worst case.

      Examples:
        imagelora plan run.yaml --nodes 4 --ranks-per-node 16 --gflops 60
        imagelora plan run.yaml --set model.max_pixels=602112
        imagelora plan run.yaml --tokens 2048 --visual-tokens 1800 --answer-tokens 24
        mpirun -n 8 imagelora plan run.yaml --measure     (the rate of a full node)
        imagelora plan run.yaml --ranks-per-node 16 --step-seconds 12 --reach --latency-us 30 --gigabits 10
      """)

  @OptionGroup var options: RunOptions
  @Option(help: "Number of nodes of the job.") var nodes = 1
  @Option(help: "Ranks on a node; by default the ranks that run this command.") var ranksPerNode: Int?
  @Option(help: "Compute rate of one rank in GFLOP/s, for a time estimate.") var gflops: Double?
  @Flag(help: "Measure that rate here, in about two seconds; under mpirun on all ranks at once, taking the slowest.")
  var measure = false
  @Option(
    help: "Seconds of a step's computation on the planned ranks (compute_seconds of metrics.jsonl), for the rate.")
  var stepSeconds: Double?
  @Flag(help: "Predict steps on 1 to 4096 ranks with as many examples each; needs a rate.")
  var reach = false
  @Option(help: "Latency between nodes in microseconds, for --reach (default 30).") var latencyUs: Double?
  @Option(help: "Bandwidth of a node in Gbit/s, for --reach (default 10).") var gigabits: Double?
  @Option(help: "Trainable parameters to reduce, for --reach (default: the adapter's).") var trainable: Int?
  @Option(help: "Memory of a node in GiB (default: this machine's).") var nodeMemoryGib: Double?
  @Option(help: "Plan for examples of this many tokens instead of the run's data.") var tokens: Int?
  @Option(help: "How many of these tokens are visual.") var visualTokens: Int?
  @Option(help: "How many of these tokens are supervised.") var answerTokens: Int?
  @Flag(help: "Print one JSON document instead of lines.") var json = false

  func validate() throws {
    for (name, value) in [("--nodes", nodes), ("--ranks-per-node", ranksPerNode ?? 1)]
    where !(1...65_536).contains(value) {
      throw ValidationError("\(name) \(value): give 1 to 65536")
    }
    if let gflops, !(gflops > 0 && gflops.isFinite) {
      throw ValidationError("--gflops \(gflops): give a number above 0")
    }
    let rates = [gflops != nil, measure, stepSeconds != nil].count { $0 }
    guard rates <= 1 else { throw ValidationError("--gflops, --measure and --step-seconds: give one of them") }
    guard !reach || rates == 1 else {
      throw ValidationError("--reach needs a rate: give --gflops, --measure or --step-seconds")
    }
    if let trainable, !reach || !(1...1 << 36).contains(trainable) {
      throw ValidationError("--trainable \(trainable): give 1 to 68719476736, with --reach")
    }
    for (name, value) in [
      ("--step-seconds", stepSeconds), ("--latency-us", latencyUs), ("--gigabits", gigabits),
      ("--node-memory-gib", nodeMemoryGib),
    ] {
      guard let value else { continue }
      guard value.isFinite, value > 0 || (value == 0 && name == "--latency-us") else {
        throw ValidationError("\(name) \(value): give a number above 0")
      }
      guard reach || ["--step-seconds", "--node-memory-gib"].contains(name) else {
        throw ValidationError("\(name) is for --reach")
      }
    }
    if let example = assumedExample {
      guard example.answerTokens > 0, example.visualTokens >= 0, example.tokens <= 1 << 20,
        example.visualTokens < example.tokens, example.answerTokens < example.tokens - example.visualTokens
      else {
        throw ValidationError(
          "--tokens \(example.tokens) is too small for \(example.visualTokens) visual and \(example.answerTokens) "
            + "supervised tokens, or above 1048576: give at most 1048576, with room for a prompt")
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
      var plan = try withErrorAgreement(communicator) {
        try Plan(
          run, ranks: ranks, assumed: assumedExample,
          nodeMemory: nodeMemoryGib.map { $0 * 0x1p30 })
      }
      plan.gflops = measure ? try slowest(plan.measuredRate(), communicator) : stepSeconds.map(plan.rate) ?? gflops
      if reach {
        var network = Network.usual
        if let latencyUs { network.latency = latencyUs * 1e-6 }
        if let gigabits { network.bandwidth = gigabits * 1e9 / 8 }
        plan.network = network
        plan.trainable = trainable
      }
      guard communicator.rank == 0 else { return }
      if json { try sayJSON(plan.document) } else { plan.lines.forEach(say) }
    }
  }

  private func slowest(_ rate: Double, _ communicator: any Communicator) throws -> Double {
    let rates = try communicator.allGather(withUnsafeBytes(of: rate, Array.init))
    return rates.map { bytes in bytes.withUnsafeBytes { $0.loadUnaligned(as: Double.self) } }.min() ?? rate
  }
}
