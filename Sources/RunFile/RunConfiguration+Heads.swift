// What the run file leaves to the model: how many heads there are, how many of them are selected, and which layers have
// the projections of a LoRA.
import Adapters
import HuggingFace
import QwenVL

extension RunConfiguration.Adapter {
  /// Heads of each layer that an Image-LoRA may act on.
  package func capacity(_ text: TextConfiguration) -> [Int] { (valueHeads ?? .attention).capacity(text) }

  /// What those heads are called.
  package var headWords: String { (valueHeads ?? .attention).words }

  /// Selected heads over all layers: as stated, or a quarter of all, at least one.
  package func budget(_ text: TextConfiguration) -> Int {
    heads.numHeads ?? max(1, capacity(text).reduce(0, +) / 4)
  }

  /// - Throws: `RunFileError.value` for more heads than the model has.
  package func requireHeads(_ text: TextConfiguration) throws(RunFileError) {
    let capacity = capacity(text)
    for (key, wanted, most) in [
      ("num_heads", heads.numHeads, capacity.reduce(0, +)), ("per_layer", heads.perLayer, capacity.max() ?? 0),
    ] where kind == .imageLoRA && most > 0 && wanted ?? 0 > most {
      throw .value(
        place: "run file", key: "adapter.heads.\(key)", value: "\(wanted ?? 0)",
        expected: "at most \(most): this model has no more \(headWords)" + (key == "per_layer" ? " in a layer" : ""))
    }
  }

  /// The standard LoRA.
  /// - Throws: `RunFileError.value` for a projection that no layer has.
  package func lora(_ text: TextConfiguration) throws(RunFileError) -> LoRAConfiguration {
    let wanted = targets ?? Projection.attention
    let options = LoRAConfiguration(rank: rank, alpha: alpha, everywhere: wanted, text)
    let known = Set((0..<text.layers).flatMap(text.projections))
    if let other = wanted.first(where: { !known.contains($0) }) {
      let names = Projection.allCases.filter(known.contains).map(\.rawValue).joined(separator: ", ")
      throw .value(
        place: "run file", key: "adapter.targets", value: other.rawValue,
        expected: "projections that this model has: \(names)")
    }
    return options
  }
}
