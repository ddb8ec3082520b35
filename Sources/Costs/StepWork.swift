// What optimizer steps cost on the ranks that share them.
import Batches
import Datasets
import HuggingFace

/// What steps are like, from some of them dealt to ranks as training deals them.
package struct StepWork: Equatable {
  /// Of one example.
  package let example: BatchFLOPs
  /// Of one step on the rank that has most, the vision tower left out, and its part alone.
  package let busiest, busiestVision: Double
  /// How much of the ranks' time the busiest leaves unused, 0 to 1.
  package let idle: Double
  /// Forward FLOPs of one example by the adapter alone, and by standard LoRA.
  package let adapterFLOPs, standardFLOPs: Double

  /// - Precondition: at least one step with at least one unit.
  package init(
    _ steps: [[BatchShape]], ranks: Int, adapter: PlannedAdapter, rank r: Int, _ configuration: ModelConfiguration
  ) {
    let text = configuration.text
    var operations: [BatchFLOPs] = []
    var (busiest, vision, rows, visual, tokens) = (0.0, 0.0, 0, 0.0, 0.0)
    for units in steps {
      let work = units.map { BatchFLOPs($0, adapter: adapter, configuration) }
      let hands = partition(costs: work.map(\.decoding), ranks: ranks)
      busiest += hands.map { $0.reduce(0) { $0 + work[$1].decoding } }.max() ?? 0
      vision += hands.map { $0.reduce(0) { $0 + work[$1].vision } }.max() ?? 0
      operations += work
      rows += units.reduce(0) { $0 + $1.rows }
      visual += units.reduce(0) { $0 + Double($1.visual) }
      tokens += units.reduce(0) { $0 + Double($1.tokens) }
    }
    example = .mean(operations, over: Double(rows))
    self.busiest = busiest / Double(steps.count)
    busiestVision = vision / Double(steps.count)
    let all = operations.reduce(0) { $0 + $1.decoding }
    idle = busiest > 0 ? 1 - all / (busiest * Double(ranks)) : 0
    adapterFLOPs = 2 * adapter.multiplyAdds(tokens: tokens, visual: visual, text) / Double(rows)
    standardFLOPs = 2 * Double(StandardLoRA.parameters(rank: r, text)) * tokens / Double(rows)
  }
}
