// What an adapter costs before it exists: parameters, multiply-adds, and how far back its gradient goes.
import Adapters
import Batches
import HuggingFace
import QwenVL

/// An adapter as a plan counts it.
package enum PlannedAdapter: Equatable {
  case imageLoRA(LayerBudgets, rank: Int)
  case lora(LoRAConfiguration)

  /// The plan's view of a configuration.
  package init(_ configuration: AdapterConfiguration, layers: Int) {
    switch configuration {
    case .imageLoRA(let options):
      let budgets = LayerBudgets(heads: (0..<layers).map { options.heads[$0]?.count ?? 0 })
      self = .imageLoRA(budgets, rank: options.rank)
    case .lora(let options): self = .lora(options)
    }
  }

  /// Trainable parameters.
  package func parameters(_ text: TextConfiguration) -> Int {
    switch self {
    case .imageLoRA(let budgets, let rank): budgets.parameters(rank: rank, text)
    case .lora(let options): AdapterConfiguration.lora(options).layout(text).count
    }
  }

  /// The adapter's own multiply-adds of one forward pass; backward is twice that.
  package func multiplyAdds(tokens: Double, visual: Double, _ text: TextConfiguration) -> Double {
    switch self {
    case .imageLoRA(let budgets, let rank): budgets.multiplyAdds(visualTokens: 1, rank: rank, text) * visual
    case .lora: Double(parameters(text)) * tokens
    }
  }

  /// The lowest adapted layer, where backward ends.
  package func lowest(_ text: TextConfiguration) -> Int {
    switch self {
    case .imageLoRA(let budgets, _): budgets.lowest
    case .lora(let options): options.targets.keys.min() ?? text.layers
    }
  }

  /// Projections whose gradient is needed in the lowest adapted layer.
  package var lowestProjections: [Projection] {
    switch self {
    case .imageLoRA: [.value]
    case .lora(let options): options.targets.keys.min().flatMap { options.targets[$0] } ?? []
    }
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
