// What an adapter is: its kind and the options that decide its numbers.
import HuggingFace
import QwenVL
import Tensors

/// Options of an Image-LoRA that decide its numbers.
package struct ImageLoRAConfiguration: Sendable, Equatable {
  package var rank: Int
  package var alpha: Double
  package var normalization: Normalization
  /// Selected KV heads of each adapted layer of full attention, ascending.
  package var kvIndices: [Int: [Int]]
  /// Selected value heads of each adapted layer of linear attention, ascending.
  package var valueHeadIndices: [Int: [Int]]

  /// Where gammas start unless stated, as in the authors' code.
  package static let gammaStart = 0.01

  package init(
    rank: Int, alpha: Double, normalization: Normalization, kvIndices: [Int: [Int]],
    valueHeadIndices: [Int: [Int]] = [:]
  ) {
    self.rank = rank
    self.alpha = alpha
    self.normalization = normalization
    self.kvIndices = kvIndices.filter { !$0.value.isEmpty }.mapValues { $0.sorted() }
    self.valueHeadIndices = valueHeadIndices.filter { !$0.value.isEmpty }.mapValues { $0.sorted() }
    precondition(Set(self.kvIndices.keys).isDisjoint(with: self.valueHeadIndices.keys), "a layer is of one kind")
  }

  /// Selected heads of all adapted layers.
  package var heads: [Int: [Int]] { kvIndices.merging(valueHeadIndices) { $1 } }

  /// alpha / rank, normalised for a layer with `selected` heads.
  func scale(selected: Int) -> Double {
    switch normalization {
    case .inverseSqrtSelected: alpha / Double(rank) / Double(selected).squareRoot()
    case .none: alpha / Double(rank)
    }
  }

  /// Layers ascending, in each `A [H, r]`, `B [|S|, r, D]`, `gamma`.
  /// - Parameter headDimension: D of a layer.
  package func layout(hiddenSize: Int, headDimension: (_ layer: Int) -> Int) -> AdapterLayout {
    AdapterLayout(
      heads.sorted { $0.key < $1.key }.flatMap { layer, heads -> [(name: String, shape: [Int])] in
        [
          ("layers.\(layer).A", [hiddenSize, rank]), ("layers.\(layer).B", [heads.count, rank, headDimension(layer)]),
          ("layers.\(layer).gamma", []),
        ]
      })
  }
}

/// An adapter's kind with its options.
package enum AdapterConfiguration: Sendable, Equatable {
  case imageLoRA(ImageLoRAConfiguration)
  case lora(LoRAConfiguration)

  package var kind: AdapterKind {
    switch self {
    case .imageLoRA: .imageLoRA
    case .lora: .lora
    }
  }

  package var rank: Int {
    switch self {
    case .imageLoRA(let options): options.rank
    case .lora(let options): options.rank
    }
  }

  package var alpha: Double {
    switch self {
    case .imageLoRA(let options): options.alpha
    case .lora(let options): options.alpha
    }
  }

  /// Adapted layers of the decoder, ascending.
  package var layers: [Int] {
    switch self {
    case .imageLoRA(let options): options.heads.keys.sorted()
    case .lora(let options): options.targets.keys.sorted()
    }
  }

  /// Where its parameters lie, for a model of the stated shape.
  /// - Parameter vision: the vision tower's, for an adapter that acts on it.
  package func layout(_ text: TextConfiguration, _ vision: VisionConfiguration? = nil) -> AdapterLayout {
    switch self {
    case .imageLoRA(let options):
      options.layout(hiddenSize: text.hiddenSize) { text.valueHeads(of: $0).dimension }
    case .lora(let options): options.layout { ProjectionWidths($0, text, vision) }
    }
  }

  /// Whether a model has these layers, heads and modules, and widths that give this layout.
  package func fits(_ text: TextConfiguration, _ vision: VisionConfiguration? = nil, layout: AdapterLayout) -> Bool {
    guard layers.allSatisfy({ (0..<text.layers).contains($0) }) else { return false }
    let isInside =
      switch self {
      case .imageLoRA(let options):
        options.kvIndices.keys.allSatisfy { !text.isLinear($0) }
          && options.valueHeadIndices.keys.allSatisfy(text.isLinear)
          && options.heads.allSatisfy { layer, heads in
            heads.allSatisfy { (0..<text.valueHeads(of: layer).count).contains($0) }
          }
      case .lora(let options):
        options.targets.allSatisfy { layer, targets in Set(targets).isSubset(of: text.projections(of: layer)) }
          && Set(options.tower.map(\.name)).isSubset(of: (vision?.modules ?? []).map(\.name))
      }
    return isInside && self.layout(text, vision) == layout
  }

  /// The adapter with all parameters zero; see `Adapter.initialize` and `load`.
  /// - Parameter vision: the vision tower's, for an adapter that acts on it.
  package func adapter<Element: Scalar>(
    _ text: TextConfiguration, _ vision: VisionConfiguration?
  ) -> any Adapter<Element> {
    switch self {
    case .imageLoRA(let options): ImageLoRA<Element>(options, text: text)
    case .lora(let options): LoRA<Element>(options, text: text, vision: vision)
    }
  }
}
