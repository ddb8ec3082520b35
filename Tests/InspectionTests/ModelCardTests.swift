import Adapters
import Artifacts
import HuggingFace
import QwenVL
import TestSupport
import Testing
import TinyModels

@testable import Inspection

@Suite("The card states what the adapter must be used with, also where the run can no longer be read")
struct ModelCardTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func card(_ configuration: AdapterConfiguration, _ selection: HeadSelection? = nil, base: ModelName? = nil)
    throws -> String
  {
    let adapter: any Adapter<Float> = configuration.adapter(TextConfiguration.tiny, nil)
    var state = TrainingState(startOf: .tiny, adapter: adapter, selection: selection)
    state.optimizer.step = 3
    state.best = .init(step: 3, loss: 1.25)
    let store = CheckpointStore(directory: folder.path, keep: 2)
    try store.save(state)
    return try ModelCard(
      CheckpointFile(store.path(step: 3)), base: base, configuration: configuration, layout: adapter.layout
    ).text
  }

  @Test func imageLoRA() throws {
    let selection = HeadSelection.influence(
      scores: [[1, 2], [0, 0], [4, 3]], numHeads: 3, tau: 0.5, method: "influence/gate")
    let card = try card(
      .imageLoRA(
        ImageLoRAConfiguration(
          rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: selection.adapted)), selection,
      base: ModelName(name: "Qwen/Qwen2.5-VL-3B-Instruct", revision: "0123"))
    for words in [
      "---\nbase_model: Qwen/Qwen2.5-VL-3B-Instruct\nlibrary_name: imagelora\n",
      "| Base model | `Qwen/Qwen2.5-VL-3B-Instruct`, revision `0123`, weights of digest `base` |",
      "\n    import image_lora ",
      "\n    with image_lora.apply(model, \"this folder\"):\n        output = model.generate(",
      "digest `base`", "3136 to 602112 pixels", "digest `template`", "`relative_1000`", "laid on white",
      "| 0 | KV | 1 |",
      "| 2 | KV | 0, 1 |",
      "rank 2", "Never merge it", "visual tokens only", "| Lowest validation loss | 1.2500 at step 3 |",
    ] { #expect(card.contains(words), "\(words)") }
    #expect(!card.contains("  |\n") && card.hasPrefix("---\n") && card.hasSuffix("|\n"))
  }

  @Test func standardLoRA() throws {
    let targets = Dictionary(uniqueKeysWithValues: (0..<3).map { ($0, [Projection.query, .output]) })
    let card = try card(.lora(LoRAConfiguration(rank: 2, alpha: 4, targets: targets)))
    #expect(card.contains("| Base model | weights of digest `base` |") && !card.contains("base_model:"))
    #expect(card.contains("PeftModel") && card.contains("`q_proj`, `o_proj` of 3 decoder layers"))
  }
}
