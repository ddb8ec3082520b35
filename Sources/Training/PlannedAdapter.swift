// What an adapter costs before it is there: numbers, multiply-adds, and how far back its gradient goes.
import Adapters
import HuggingFace
import QwenVL

/// An adapter as a plan counts it.
package enum PlannedAdapter: Equatable {
  case imageLoRA(LayerBudgets, rank: Int)
  /// On the same projections of every layer, at all tokens.
  case lora([Projection], rank: Int)

  /// What an adapter comes to.
  init(_ configuration: AdapterConfiguration, layers: Int) {
    switch configuration {
    case .imageLoRA(let options):
      let budgets = LayerBudgets(heads: (0..<layers).map { options.kvIndices[$0]?.count ?? 0 })
      self = .imageLoRA(budgets, rank: options.rank)
    case .lora(let options):
      self = .lora(Projection.allCases.filter { Set(options.targets.values.joined()).contains($0) }, rank: options.rank)
    }
  }

  /// Trainable numbers.
  func parameters(_ text: TextConfiguration) -> Int {
    switch self {
    case .imageLoRA(let budgets, let rank): budgets.parameters(rank: rank, text)
    case .lora(let targets, let rank):
      // r (in + out) a matrix
      text.layers * rank
        * targets.reduce(0) { sum, projection in
          let widths = ProjectionWidths(projection, text)
          return sum + widths.input + widths.output
        }
    }
  }

  /// The adapter's own multiply-adds of one forward pass; backward is twice that.
  func multiplyAdds(tokens: Double, visual: Double, _ text: TextConfiguration) -> Double {
    switch self {
    case .imageLoRA(let budgets, let rank): budgets.multiplyAdds(visualTokens: 1, rank: rank, text) * visual
    case .lora: Double(parameters(text)) * tokens
    }
  }

  /// The lowest adapted layer, where backward ends.
  var lowest: Int {
    switch self {
    case .imageLoRA(let budgets, _): budgets.lowest
    case .lora: 0
    }
  }

  /// Projections whose gradient is needed in the lowest adapted layer.
  var lowestProjections: [Projection] {
    switch self {
    case .imageLoRA: [.value]
    case .lora(let targets, _): targets
    }
  }

  /// Whether a unit has a gradient.
  func learns(from unit: UnitShape) -> Bool {
    guard unit.answers > 0 else { return false }
    switch self {
    case .imageLoRA(let budgets, _): return unit.visual > 0 && budgets.lowest < budgets.heads.count
    case .lora: return true
    }
  }

  /// Its tokens without a gradient, and pairs of a query and a key: of queries that have one, and of these with such a
  /// key.
  func backward(of unit: UnitShape) -> (first: Int, latePairs: Double, keptPairs: Double) {
    switch self {
    case .imageLoRA: (unit.first, unit.latePairs, unit.keptPairs)
    case .lora: (0, unit.pairs, unit.pairs)
    }
  }
}
