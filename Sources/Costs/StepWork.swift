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
  /// Of one step on the rank with the most work: what is computed in each epoch; and what is computed once, as long as
  /// it is cached: the vision tower, and the layers below those that a run restricts its adapter to.
  package let busiest, busiestOnce: Double
  /// How much of the ranks' time the busiest leaves unused, 0 to 1.
  package let idle: Double
  /// Forward FLOPs of one example by the adapter alone, and by standard LoRA.
  package let adapterFLOPs, standardFLOPs: Double

  /// - Parameter frozenLayers: layers whose hidden states are cached, 0 unless a run restricts its adapter.
  /// - Precondition: at least one step with at least one batch.
  package init(
    _ steps: [[BatchShape]], ranks: Int, adapter: PlannedAdapter, rank r: Int, frozenLayers: Int,
    activations: ActivationBudget,
    _ configuration: ModelConfiguration
  ) {
    let text = configuration.text
    var all: [BatchFLOPs] = []
    var (busiest, once, examples, visual, tokens) = (0.0, 0.0, 0, 0.0, 0.0)
    var (recomputed, executed) = (0.0, 0.0)
    for batches in steps {
      let flops = batches.map { BatchFLOPs($0, adapter: adapter, configuration) }
      let assignment = partition(costs: flops.map(\.decoding), ranks: ranks)
      let again = batches.map {
        BatchFLOPs.recomputed($0, adapter: adapter, activations: activations, configuration)
      }
      let frozen = batches.map { BatchFLOPs.forward(below: frozenLayers, $0, text) }
      let each = batches.indices.map { flops[$0].decoding + again[$0] - frozen[$0] }
      busiest += assignment.map { $0.reduce(0) { $0 + each[$1] } }.max() ?? 0
      recomputed += again.reduce(0, +)
      executed += each.reduce(0, +)
      once += assignment.map { $0.reduce(0) { $0 + flops[$1].vision + frozen[$1] } }.max() ?? 0
      all += flops
      examples += batches.reduce(0) { $0 + $1.examples }
      visual += batches.reduce(0) { $0 + Double($1.visual) }
      tokens += batches.reduce(0) { $0 + Double($1.tokens) }
    }
    example = .mean(all, over: Double(examples))
    self.busiest = busiest / Double(steps.count)
    busiestOnce = once / Double(steps.count)
    self.recomputed = recomputed / Double(examples)
    idle = busiest > 0 ? 1 - executed / (busiest * Double(ranks)) : 0
    adapterFLOPs = 2 * adapter.multiplyAdds(tokens: tokens, visual: visual, text) / Double(examples)
    standardFLOPs = 2 * Double(StandardLoRA.parameters(rank: r, text)) * tokens / Double(examples)
  }
}
