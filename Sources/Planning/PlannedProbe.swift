// What the probe that selects heads will cost.
import Artifacts
import Batches
import Costs
import HuggingFace
import RunFile

/// A probe before the first step: a forward pass for each image group of its examples, and a backward pass down to the
/// lowest head for each example.
struct PlannedProbe: Equatable {
  let examples: Int
  /// FLOPs of all of them, their images' features included.
  let flops: Double

  /// Nil where no probe runs.
  init?(_ run: RunConfiguration, _ planned: PlannedExamples, _ configuration: ModelConfiguration) {
    let heads = run.adapter.heads
    guard run.adapter.kind == .imageLoRA, [.influence, .lowest, .perLayer].contains(heads.select) else { return nil }
    let text = configuration.text
    let capacity = HeadSelection.upper(run.adapter.capacity(text), from: run.adapter.fromLayer)
    let all = PlannedAdapter.imageLoRA(LayerBudgets(heads: capacity), rank: 1)
    // The weight gradient of every head is one more GEMM a layer, as large as an adapter of as many columns.
    let columns = capacity.enumerated().reduce(0) { sum, layer in
      sum + layer.element * text.valueHeads(of: layer.offset).dimension
    }
    func work(_ shape: BatchShape) -> BatchFLOPs { BatchFLOPs(shape, adapter: all, configuration) }
    let groups = planned.probedGroups(heads)
    let sum = groups.reduce(0.0) { sum, group in
      let shapes = group.examples.map { planned.shapes[$0] }
      let together = work(BatchShape(shapes))
      let alone = shapes.reduce(0.0) { sum, shape in
        let own = BatchShape([shape])
        return sum + work(own).backward + 2 * Double(own.visual) * Double(text.hiddenSize) * Double(columns)
      }
      return sum + together.forward + together.head + together.vision + alone
    }
    examples = min(heads.probeRows, planned.count ?? heads.probeRows)
    flops = sum / Double(groups.reduce(0) { $0 + $1.examples.count }) * Double(examples)
  }
}
