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

/// Options of a standard LoRA (arXiv 2106.09685, PEFT's `LoraConfig`) that decide its numbers.
package struct LoRAConfiguration: Sendable, Equatable {
  package var rank: Int
  package var alpha: Double
  /// Adapted projections of each adapted layer, in the order of `Projection`.
  package var targets: [Int: [Projection]]

  package init(rank: Int, alpha: Double, targets: [Int: [Projection]]) {
    self.rank = rank
    self.alpha = alpha
    self.targets = targets.filter { !$0.value.isEmpty }.mapValues { given in
      Projection.allCases.filter(given.contains)
    }
  }

  /// On the same projections of every layer, where it has them.
  package init(rank: Int, alpha: Double, everywhere targets: [Projection], _ text: TextConfiguration) {
    let layers = (0..<text.layers).map { ($0, text.projections(of: $0).filter(targets.contains)) }
    self.init(rank: rank, alpha: alpha, targets: Dictionary(uniqueKeysWithValues: layers))
  }

  /// The projections that it adapts in any layer, in the order of `Projection`.
  package var projections: [Projection] { Projection.allCases.filter(Set(targets.values.joined()).contains) }

  /// alpha / rank
  var scale: Double { alpha / Double(rank) }

  /// Layers ascending, in each layer and projection `A [r, in]`, `B [out, r]`, as PEFT's.
  /// - Parameter widths: of the projections that are adapted.
  package func layout(_ widths: (Projection) -> ProjectionWidths) -> AdapterLayout {
    AdapterLayout(
      targets.sorted { $0.key < $1.key }.flatMap { layer, projections -> [(name: String, shape: [Int])] in
        projections.flatMap { projection -> [(name: String, shape: [Int])] in
          let name = Self.name(layer, projection)
          return [("\(name).A", [rank, widths(projection).input]), ("\(name).B", [widths(projection).output, rank])]
        }
      })
  }

  /// `layers.{l}.{projection}`, the name of a layer's projection.
  package static func name(_ layer: Int, _ projection: Projection) -> String {
    "layers.\(layer).\(projection.rawValue)"
  }

  /// The parts of `name` and the matrix after it; nil for a name of another form.
  package static func parse(_ name: String) -> (layer: Int, projection: Projection, part: String)? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "layers", let layer = Int(parts[1]), layer >= 0, "\(layer)" == parts[1],
      let projection = Projection(rawValue: String(parts[2])), ["A", "B"].contains(parts[3])
    else { return nil }
    return (layer, projection, String(parts[3]))
  }
}

/// Columns of a projection's input and output.
package struct ProjectionWidths: Sendable, Equatable {
  package let input, output: Int
  package init(input: Int, output: Int) { (self.input, self.output) = (input, output) }

  /// Those of a model.
  package init(_ projection: Projection, _ text: TextConfiguration) {
    let (hidden, head, linear) = (text.hiddenSize, text.headDimension, text.linearAttention)
    switch projection {
    case .query: self.init(input: hidden, output: text.attentionHeads * head * (text.outputGate ? 2 : 1))
    case .key, .value: self.init(input: hidden, output: text.kvHeads * head)
    case .output: self.init(input: text.attentionHeads * head, output: hidden)
    case .linearInput: self.init(input: hidden, output: linear.columns)
    case .linearGate: self.init(input: hidden, output: linear.valueColumns)
    case .linearStrength, .linearDecay: self.init(input: hidden, output: linear.valueHeads)
    case .linearOutput: self.init(input: linear.valueColumns, output: hidden)
    case .gate, .up: self.init(input: hidden, output: text.intermediateSize)
    case .down: self.init(input: text.intermediateSize, output: hidden)
    }
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

  /// Adapted layers, ascending.
  package var layers: [Int] {
    switch self {
    case .imageLoRA(let options): options.heads.keys.sorted()
    case .lora(let options): options.targets.keys.sorted()
    }
  }

  /// Where its parameters lie, for a model of the stated shape.
  package func layout(_ text: TextConfiguration) -> AdapterLayout {
    switch self {
    case .imageLoRA(let options):
      options.layout(hiddenSize: text.hiddenSize) { text.valueHeads(of: $0).dimension }
    case .lora(let options): options.layout { ProjectionWidths($0, text) }
    }
  }

  /// Whether a model has these layers and heads, and widths that give this layout.
  package func fits(_ text: TextConfiguration, layout: AdapterLayout) -> Bool {
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
      }
    return isInside && self.layout(text) == layout
  }

  /// The adapter with all parameters zero; see `Adapter.initialize` and `load`.
  package func adapter<Element: Scalar>(_ text: TextConfiguration) -> any Adapter<Element> {
    switch self {
    case .imageLoRA(let options): ImageLoRA<Element>(options, text: text)
    case .lora(let options): LoRA<Element>(options, text: text)
    }
  }
}
