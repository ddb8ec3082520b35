// What the probe that selects heads will cost.
import Batches
import Costs
import HuggingFace
import RunFile

/// A probe before the first step: a forward and a backward pass down to the lowest head for each of its examples.
struct PlannedProbe: Equatable {
  let examples: Int
  /// FLOPs of all of them, their images' features included.
  let flops: Double

  /// Nil where no probe runs.
  init?(_ run: RunConfiguration, _ planned: PlannedExamples, _ configuration: ModelConfiguration) {
    let heads = run.adapter.heads
    guard run.adapter.kind == .imageLoRA, [.influence, .lowest, .perLayer].contains(heads.select) else { return nil }
    let (text, count) = (configuration.text, planned.shapes.count)
    let all = PlannedAdapter.imageLoRA(LayerBudgets(heads: run.adapter.capacity(text)), rank: 1)
    // The weight gradient of every head is one more GEMM a layer, as large as an adapter of as many columns.
    let columns = run.adapter.capacity(text).enumerated().reduce(0) { sum, layer in
      sum + layer.element * text.valueHeads(of: layer.offset).dimension
    }
    let sum = planned.shapes.reduce(0.0) { sum, shape in
      let batch = BatchShape([shape])
      let work = BatchFLOPs(batch, adapter: all, configuration)
      return sum + work.forward + work.backward + work.head + work.vision
        + 2 * Double(batch.visual) * Double(text.hiddenSize) * Double(columns)
    }
    examples = min(heads.probeRows, planned.count ?? heads.probeRows)
    flops = sum / Double(count) * Double(examples)
  }
}
