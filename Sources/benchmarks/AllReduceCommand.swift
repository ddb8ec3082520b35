// benchmarks allreduce: the all-reduce of a step on the ranks at hand, beside what a plan predicts for it.
import ArgumentParser
import Collectives
import Costs
import Formatting
import Foundation
import MPI

struct AllReduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allreduce",
    abstract: "Time the all-reduce of payloads on the ranks of mpirun, and compare it with the plan's model.",
    discussion: """
      The sums are the exact ones of training. A host counts as a node. Without --latency-us and --gigabits the model \
      gets no network and nothing is predicted. With --fp32 MPI's own sum of as many fp32 numbers, half the bytes, is \
      timed in turns with it.

      Example: mpirun -n 8 --hostfile hosts benchmarks allreduce --bytes 400000 --latency-us 30 --gigabits 10
      """)

  @Option(parsing: .upToNextOption, help: "Payloads in bytes.") var bytes = [4096, 65_536, 400_000, 4_000_000]
  @Option(help: "Number of repeats; the median counts.") var repeats = 11
  @Option(help: "Latency between nodes in microseconds.") var latencyUs: Double?
  @Option(help: "Bandwidth of a node in Gbit/s.") var gigabits: Double?

  @Flag(name: .customLong("fp32"), help: "Time MPI's own sum of as many fp32 numbers too.") var comparesFloats = false

  func validate() throws {
    guard bytes.allSatisfy({ (16...1 << 34).contains($0) }), (1...10_000).contains(repeats) else {
      throw ValidationError("--bytes: give 16 to 17179869184; --repeats: give 1 to 10000")
    }
    guard (latencyUs == nil) == (gigabits == nil), latencyUs ?? 0 >= 0, gigabits ?? 1 > 0 else {
      throw ValidationError("--latency-us and --gigabits: give both, not below 0")
    }
  }

  func run() throws {
    try withRanks { communicator in
      let hosts = try communicator.allGather(Array(ProcessInfo.processInfo.hostName.utf8))
      let nodes = Set(hosts).count
      var table = Table([
        "bytes", "ranks", "nodes", "median", "lowest", "highest", "predicted", "median over it", "fp32",
        "median over it",
      ])
      for bytes in bytes {
        let (seconds, floats) = try times(of: bytes, communicator)
        let middle = median(seconds)
        var cells = ["\(bytes)", "\(communicator.size)", "\(nodes)"]
        cells += [middle, seconds.min() ?? 0, seconds.max() ?? 0].map(shortDuration)
        if let latencyUs, let gigabits {
          let network = Network(latency: latencyUs * 1e-6, bandwidth: gigabits * 1e9 / 8)
          let predicted = network.allReduceSeconds(
            bytes: bytes, nodes: nodes, perNode: (communicator.size + nodes - 1) / nodes)
          cells += [shortDuration(predicted), predicted > 0 ? fixed(middle / predicted, 2) : "-"]
        } else {
          cells += ["-", "-"]
        }
        cells += floats.isEmpty ? ["-", "-"] : [shortDuration(median(floats)), fixed(middle / median(floats), 2)]
        table.add(cells)
      }
      if communicator.rank == 0 { table.show() }
    }
  }

  /// Seconds of a sum in each repeat, on the slowest rank, and of as many fp32 numbers, where they are compared.
  private func times(
    of bytes: Int, _ communicator: any Communicator
  ) throws -> (words: [Double], floats: [Double]) {
    var words = [Int64](repeating: 1, count: bytes / MemoryLayout<Int64>.size)
    var numbers = [Float](repeating: 1, count: comparesFloats ? words.count : 0)
    // One behind the other in a repeat: ranks never begin it at the same time, and the difference counts once.
    let chain = bytes > 100_000_000 ? 1 : 8
    func time(_ sum: () throws -> Void) throws -> Double {
      _ = try communicator.allGather([])
      let start = ContinuousClock.now
      for _ in 0..<chain { try sum() }
      let own = (ContinuousClock.now - start) / .seconds(chain)
      let all = try communicator.allGather(withUnsafeBytes(of: own, Array.init))
      return all.map { bytes in bytes.withUnsafeBytes { $0.loadUnaligned(as: Double.self) } }.max() ?? own
    }
    var found: (words: [Double], floats: [Double]) = ([], [])
    for turn in 0..<repeats + 2 {
      let exact = try time { try words.withUnsafeMutableBufferPointer { try communicator.sum($0) } }
      if turn >= 2 { found.words.append(exact) }
      guard comparesFloats, let communicator = communicator as? MPICommunicator else { continue }
      let float = try time { try numbers.withUnsafeMutableBufferPointer { try communicator.sumRounding($0) } }
      if turn >= 2 { found.floats.append(float) }
    }
    return found
  }
}
