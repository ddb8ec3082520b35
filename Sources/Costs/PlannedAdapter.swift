// What an adapter costs before it exists: parameters, multiply-adds, and how far back its gradient goes.
import Adapters
import Batches
import HuggingFace
import QwenVL

/// An adapter as a plan counts it.
package enum PlannedAdapter: Equatable {
  case imageLoRA(LayerBudgets, rank: Int)
  /// With the vision tower's shape, for one that acts on it.
  case lora(LoRAConfiguration, VisionConfiguration? = nil)

  /// The plan's view of a configuration.
  package init(_ configuration: AdapterConfiguration, _ model: ModelConfiguration) {
    switch configuration {
    case .imageLoRA(let options):
      let budgets = LayerBudgets(heads: (0..<model.text.layers).map { options.heads[$0]?.count ?? 0 })
      self = .imageLoRA(budgets, rank: options.rank)
    case .lora(let options): self = .lora(options, model.vision)
    }
  }

  /// Trainable parameters.
  package func parameters(_ text: TextConfiguration) -> Int {
    switch self {
    case .imageLoRA(let budgets, let rank): budgets.parameters(rank: rank, text)
    case .lora(let options, let vision): AdapterConfiguration.lora(options).layout(text, vision).count
    }
  }

  /// The adapter's own multiply-adds of one forward pass through the decoder; backward is twice that.
  package func multiplyAdds(tokens: Double, visual: Double, _ text: TextConfiguration) -> Double {
    switch self {
    case .imageLoRA(let budgets, let rank): budgets.multiplyAdds(visualTokens: 1, rank: rank, text) * visual
    case .lora(let options, _):
      Double(AdapterConfiguration.lora(options.decoderPart).layout(text).count) * tokens
    }
  }

  /// Multiply-adds of what it adds to the vision tower in one forward pass of an image; backward is twice that.
  func towerMultiplyAdds(patches: Double) -> Double {
    guard case .lora(let options, let vision?) = self else { return 0 }
    return options.tower.reduce(0) { sum, module in
      let widths = vision.widths(module)
      let rows =
        if case .block = module.part { patches } else {
          patches / Double(vision.spatialMergeSize * vision.spatialMergeSize)
        }
      return sum + rows * Double(options.rank(of: .tower(module)) * (widths.input + widths.output))
    }
  }

  /// Whether it acts on the vision tower: features are computed anew each time, and backward goes on through them.
  package var reachesTower: Bool { if case .lora(let options, _) = self { !options.tower.isEmpty } else { false } }

  /// The share of the tower's blocks that backward passes.
  var towerShare: Double {
    guard case .lora(let options, let vision?) = self, vision.depth > 0 else { return 0 }
    let lowest = options.tower.compactMap { if case .block(let index) = $0.part { index } else { nil } }.min()
    return Double(vision.depth - (lowest ?? vision.depth)) / Double(vision.depth)
  }

  /// The lowest layer that backward reaches.
  package func lowest(_ text: TextConfiguration) -> Int {
    switch self {
    case .imageLoRA(let budgets, _): budgets.lowest
    case .lora(let options, _): reachesTower ? 0 : options.targets.keys.min() ?? text.layers
    }
  }

  /// Projections whose gradient is needed in the lowest adapted layer.
  package var lowestProjections: [Projection] {
    switch self {
    case .imageLoRA: [.value]
    case .lora(let options, _): options.targets.keys.min().flatMap { options.targets[$0] } ?? []
    }
  }

  /// Whether it acts on the MLP of a layer.
  var actsOnMLP: Bool {
    guard case .lora(let options, _) = self else { return false }
    return options.targets.values.contains { projections in projections.contains(where: Projection.mlp.contains) }
  }

  /// Whether a batch has a gradient.
  package func learns(from unit: BatchShape) -> Bool {
    guard unit.answers > 0 else { return false }
    switch self {
    case .imageLoRA(let budgets, _): return unit.visual > 0 && budgets.lowest < budgets.heads.count
    case .lora: return true
    }
  }

  /// Its tokens without a gradient, and pairs of a query and a key: of queries that have one, and of these with such a
  /// key.
  package func backward(of unit: BatchShape) -> (first: Int, latePairs: Double, keptPairs: Double) {
    switch self {
    case .imageLoRA: (unit.first, unit.latePairs, unit.keptPairs)
    case .lora: (0, unit.pairs, unit.pairs)
    }
  }
}

/// Standard LoRA of the same rank on q, k, v and o of every layer and all tokens: what users compare with.
package enum StandardLoRA {
  /// in r + r out, summed over the four matrices of all layers; also the multiply-adds of one token.
  package static func parameters(rank r: Int, _ text: TextConfiguration) -> Int {
    PlannedAdapter.lora(LoRAConfiguration(rank: r, alpha: 1, everywhere: Projection.attention, text)).parameters(text)
  }
}
