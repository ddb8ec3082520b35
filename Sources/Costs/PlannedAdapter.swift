// What an adapter costs before it exists: parameters, multiply-adds, and how far back its gradient goes.
import Adapters
import Batches
import HuggingFace
import QwenVL

/// An adapter as a plan counts it.
package enum PlannedAdapter: Equatable {
  case imageLoRA(LayerBudgets, rank: Int)
  /// On the same projections of every layer of full attention, at all tokens.
  case lora([Projection], rank: Int)

  /// The plan's view of a configuration.
  package init(_ configuration: AdapterConfiguration, layers: Int) {
    switch configuration {
    case .imageLoRA(let options):
      let budgets = LayerBudgets(heads: (0..<layers).map { options.heads[$0]?.count ?? 0 })
      self = .imageLoRA(budgets, rank: options.rank)
    case .lora(let options):
      self = .lora(Projection.allCases.filter { Set(options.targets.values.joined()).contains($0) }, rank: options.rank)
    }
  }

  /// Trainable parameters.
  package func parameters(_ text: TextConfiguration) -> Int {
    switch self {
    case .imageLoRA(let budgets, let rank): budgets.parameters(rank: rank, text)
    case .lora(let targets, let rank):
      // r (in + out) a matrix
      text.attentionLayers.count * rank
        * targets.reduce(0) { sum, projection in
          let widths = ProjectionWidths(projection, text)
          return sum + widths.input + widths.output
        }
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
    case .lora: text.attentionLayers.first ?? text.layers
    }
  }

  /// Projections whose gradient is needed in the lowest adapted layer.
  package var lowestProjections: [Projection] {
    switch self {
    case .imageLoRA: [.value]
    case .lora(let targets, _): targets
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
    PlannedAdapter.lora(Projection.allCases, rank: r).parameters(text)
  }
}
