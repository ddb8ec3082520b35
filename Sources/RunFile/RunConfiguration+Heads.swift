// What the run file leaves to the model: how many heads there are, and how many of them are selected.
import Adapters
import HuggingFace

extension RunConfiguration.Adapter {
  /// Heads of each layer that an Image-LoRA may act on.
  package func capacity(_ text: TextConfiguration) -> [Int] { (valueHeads ?? .attention).capacity(text) }

  /// What those heads are called.
  package var headWords: String {
    switch valueHeads ?? .attention {
    case .attention: "KV heads"
    case .linear: "value heads"
    case .both: "KV and value heads"
    }
  }

  /// Selected heads over all layers: as stated, or a quarter of all, at least one.
  package func budget(_ text: TextConfiguration) -> Int {
    heads.numHeads ?? max(1, capacity(text).reduce(0, +) / 4)
  }
}
