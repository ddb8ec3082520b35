// What optimizer steps cost on the ranks that share them.
import Batches
import Collectives
import Datasets
import HuggingFace

/// The work of steps, from some of them partitioned over ranks as training does.
package struct StepWork: Equatable {
  /// Of one example.
  package let example: BatchFLOPs
  /// FLOPs of one example for activations that are recomputed.
  package let recomputed: Double
  /// Of one step on the rank with the most work: all but the vision tower, and the vision tower alone.
  package let busiest, busiestVision: Double
  /// How much of the ranks' time the busiest leaves unused, 0 to 1.
  package let idle: Double
  /// Forward FLOPs of one example by the adapter alone, and by standard LoRA.
  package let adapterFLOPs, standardFLOPs: Double

  /// - Precondition: at least one step with at least one batch.
  package init(
    _ steps: [[BatchShape]], ranks: Int, adapter: PlannedAdapter, rank r: Int, activations: ActivationBudget,
    _ configuration: ModelConfiguration
  ) {
    let text = configuration.text
    var all: [BatchFLOPs] = []
    var (busiest, vision, examples, visual, tokens) = (0.0, 0.0, 0, 0.0, 0.0)
    var (recomputed, executed) = (0.0, 0.0)
    for batches in steps {
      let flops = batches.map { BatchFLOPs($0, adapter: adapter, configuration) }
      let assignment = partition(costs: flops.map(\.decoding), ranks: ranks)
      let again = batches.map {
        BatchFLOPs.recomputed($0, adapter: adapter, activations: activations, configuration)
      }
      busiest += assignment.map { $0.reduce(0) { $0 + flops[$1].decoding + again[$1] } }.max() ?? 0
      recomputed += again.reduce(0, +)
      executed += zip(flops, again).reduce(0) { $0 + $1.0.decoding + $1.1 }
      vision += assignment.map { $0.reduce(0) { $0 + flops[$1].vision } }.max() ?? 0
      all += flops
      examples += batches.reduce(0) { $0 + $1.examples }
      visual += batches.reduce(0) { $0 + Double($1.visual) }
      tokens += batches.reduce(0) { $0 + Double($1.tokens) }
    }
    example = .mean(all, over: Double(examples))
    self.busiest = busiest / Double(steps.count)
    busiestVision = vision / Double(steps.count)
    self.recomputed = recomputed / Double(examples)
    idle = busiest > 0 ? 1 - executed / (busiest * Double(ranks)) : 0
    adapterFLOPs = 2 * adapter.multiplyAdds(tokens: tokens, visual: visual, text) / Double(examples)
    standardFLOPs = 2 * Double(StandardLoRA.parameters(rank: r, text)) * tokens / Double(examples)
  }
}
