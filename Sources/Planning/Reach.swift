// What a step takes on 1 to 4,096 ranks, before anyone has as many.
import Batches
import Costs
import Formatting
import RunFile

/// A step on some number of ranks, each with as many examples as in the plan.
struct Reach: Encodable, Equatable {
  let ranks, nodes, globalBatch: Int
  /// Seconds: of the busiest rank's work, of the all-reduce on the network, and of both.
  let computeSeconds, reduceSeconds, stepSeconds: Double
  /// Examples a second over what as many ranks would do that neither waited nor sent anything, 0 to 1.
  let efficiency: Double
}

extension Plan {
  /// Steps on 1, 2, 4 ... 4,096 ranks; nil without a rate.
  ///
  /// The global batch grows with the ranks. Uneven examples make the busiest rank wait for none and all others for it;
  /// the network's part is that of `Network.allReduceSeconds`.
  func reach(_ network: Network) -> [Reach]? {
    guard let gflops else { return nil }
    let perRank = max(1, run.training.globalBatch / ranks.count)
    return (0...12).map { power in
      let count = 1 << power
      var larger = run
      larger.training.globalBatch = perRank * count
      let work = StepWork(
        examples.sampledSteps(of: larger).map { examples.batches(of: $0, larger) }, ranks: count,
        adapter: adapter.worst, rank: run.adapter.rank,
        frozenLayers: frozen?.layers ?? 0, activations: activations, configuration)
      let perNode = min(count, ranks.perNode)
      let nodes = (count + perNode - 1) / perNode
      let compute = work.busiest / gflops / 1e9
      let bytes = AllReducePayload(parameters: trainable ?? payload.parameters, ranks: count).bytes
      let reduce = network.allReduceSeconds(bytes: bytes, nodes: nodes, perNode: perNode)
      return Reach(
        ranks: count, nodes: nodes, globalBatch: perRank * count, computeSeconds: compute, reduceSeconds: reduce,
        stepSeconds: compute + reduce, efficiency: (1 - work.idle) * compute / (compute + reduce))
    }
  }

  /// The rate at which the busiest rank's work of a step takes so long, in 10^9 FLOPs a second.
  package func rate(stepSeconds: Double) -> Double { work.busiest / stepSeconds / 1e9 }

  var reachLines: [String] {
    guard let network, let rows = reach(network) else { return [] }
    let header = """
      reach      at \(fixed(network.latency * 1e6, 0)) us and \(fixed(network.bandwidth * 8e-9, 1)) Gbit/s between nodes, \
      \(rows[0].globalBatch) examples a rank and step, \(grouped(trainable ?? payload.parameters)) gradients
      """
    let columns = ["ranks", "nodes", "compute", "all-reduce", "step", "efficiency"]
    let cells = rows.map { row in
      [
        "\(row.ranks)", "\(row.nodes)", Self.words(row.computeSeconds), Self.words(row.reduceSeconds),
        Self.words(row.stepSeconds), percent(row.efficiency),
      ]
    }
    return [header]
      + ([columns] + cells).map { line in
        "           " + line.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined()
      }
  }
}
