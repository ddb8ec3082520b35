// What the run file leaves to the model: how many KV heads are selected.
import HuggingFace

extension RunConfiguration.Heads {
  /// KV heads over all layers: as stated, or a quarter of all, at least one.
  package func budget(_ text: TextConfiguration) -> Int { numHeads ?? max(1, text.totalHeads / 4) }
}
