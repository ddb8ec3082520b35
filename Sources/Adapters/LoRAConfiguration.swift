// What a standard LoRA is: which linear modules it adapts, and with what rank and alpha.
import HuggingFace
import QwenVL

/// A linear module that a LoRA adapts.
package enum AdaptedModule: Hashable, Sendable {
  case decoder(layer: Int, Projection)
  case tower(TowerModule)

  /// As an adapter's layout names it: `layers.3.q_proj`, `visual.blocks.0.attn.qkv`.
  package var name: String {
    switch self {
    case .decoder(let layer, let projection): "layers.\(layer).\(projection.rawValue)"
    case .tower(let module): module.name
    }
  }

  /// As transformers names it; `layers` and `vision` are what a release of it calls the decoder's layers and the tower.
  package func name(layers: String = "model.language_model.layers", vision: String = "model.visual") -> String {
    switch self {
    case .decoder(let layer, let projection): "\(layers).\(layer).\(projection.module).\(projection.rawValue)"
    case .tower(let module): vision + module.name.dropFirst("visual".count)
    }
  }

  /// The module of a name, nil for any other name.
  package init?(_ name: String) {
    if let module = TowerModule(name) {
      self = .tower(module)
      return
    }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "layers", let layer = Int(parts[1]), layer >= 0, "\(layer)" == parts[1],
      let projection = Projection(rawValue: String(parts[2]))
    else { return nil }
    self = .decoder(layer: layer, projection)
  }

  /// The module of a layout's tensor, and which matrix it is.
  package static func parse(_ tensor: String) -> (module: AdaptedModule, part: String)? {
    for part in ["A", "B"] where tensor.utf8.reversed().starts(with: ".\(part)".utf8.reversed()) {
      return AdaptedModule(String(decoding: tensor.utf8.dropLast(2), as: UTF8.self)).map { ($0, part) }
    }
    return nil
  }

  /// A number of its own, the same whatever else is adapted.
  var stream: UInt64 {
    switch self {
    case .decoder(let layer, let projection):
      UInt64(layer * Projection.allCases.count + (Projection.allCases.firstIndex(of: projection) ?? 0))
    case .tower(let module): module.stream
    }
  }
}

/// Options of a standard LoRA (arXiv 2106.09685, PEFT's `LoraConfig`) that decide its numbers.
package struct LoRAConfiguration: Sendable, Equatable {
  /// Of the modules that have none of their own.
  package var rank: Int
  package var alpha: Double
  /// Adapted projections of each adapted layer, in the order of `Projection`.
  package var targets: [Int: [Projection]]
  /// Adapted modules of the vision tower, in its order.
  package var tower: [TowerModule]
  /// Ranks and alphas of modules that have others (PEFT's `rank_pattern`, `alpha_pattern`).
  package private(set) var ranks: [AdaptedModule: Int] = [:]
  package private(set) var alphas: [AdaptedModule: Double] = [:]

  package init(rank: Int, alpha: Double, targets: [Int: [Projection]], tower: [TowerModule] = []) {
    self.rank = rank
    self.alpha = alpha
    self.targets = targets.filter { !$0.value.isEmpty }.mapValues { given in
      Projection.allCases.filter(given.contains)
    }
    self.tower = tower.sorted { $0.stream < $1.stream }
  }

  /// On the same projections of every layer, where it has them.
  package init(rank: Int, alpha: Double, everywhere targets: [Projection], _ text: TextConfiguration) {
    let layers = (0..<text.layers).map { ($0, text.projections(of: $0).filter(targets.contains)) }
    self.init(rank: rank, alpha: alpha, targets: Dictionary(uniqueKeysWithValues: layers))
  }

  /// Gives a module a rank and an alpha of its own, where they differ from the others'.
  package mutating func set(_ module: AdaptedModule, rank: Int, alpha: Double) {
    ranks[module] = rank == self.rank ? nil : rank
    alphas[module] = alpha == self.alpha ? nil : alpha
  }

  /// Rank and alpha of a module.
  package func rank(of module: AdaptedModule) -> Int { ranks[module] ?? rank }
  package func alpha(of module: AdaptedModule) -> Double { alphas[module] ?? alpha }

  /// alpha / rank
  func scale(of module: AdaptedModule) -> Double { alpha(of: module) / Double(rank(of: module)) }

  /// The projections that it adapts in any layer, in the order of `Projection`.
  package var projections: [Projection] { Projection.allCases.filter(Set(targets.values.joined()).contains) }

  /// The same without what it adapts of the vision tower.
  package var decoderPart: LoRAConfiguration {
    var part = self
    part.tower = []
    return part
  }

  /// All that it adapts: layers ascending, then the tower.
  package var modules: [AdaptedModule] {
    targets.sorted { $0.key < $1.key }.flatMap { layer, projections in
      projections.map { AdaptedModule.decoder(layer: layer, $0) }
    } + tower.map { .tower($0) }
  }

  /// In the order of `modules`, of each `A [r, in]`, `B [out, r]`, as PEFT's.
  package func layout(_ widths: (AdaptedModule) -> ProjectionWidths) -> AdapterLayout {
    AdapterLayout(
      modules.flatMap { module -> [(name: String, shape: [Int])] in
        let (name, rank, widths) = (module.name, rank(of: module), widths(module))
        return [("\(name).A", [rank, widths.input]), ("\(name).B", [widths.output, rank])]
      })
  }
}

/// Columns of a linear module's input and output.
package struct ProjectionWidths: Sendable, Equatable {
  package let input, output: Int
  package init(input: Int, output: Int) { (self.input, self.output) = (input, output) }

  /// Those of a model.
  /// - Parameter vision: needed for a module of the tower.
  package init(_ module: AdaptedModule, _ text: TextConfiguration, _ vision: VisionConfiguration?) {
    switch module {
    case .decoder(_, let projection): self.init(projection, text)
    case .tower(let module):
      guard let vision else { preconditionFailure("\(module.name) has no widths without a tower") }
      let widths = vision.widths(module)
      self.init(input: widths.input, output: widths.output)
    }
  }

  /// Those of a decoder's layers.
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
