// Which heads get an adapter: a pure function of scores, budget and temperature.
import Adapters
import Foundation
import RandomNumbers

/// Selected heads of a model and how they were chosen; read and written as the selection JSON of the method.
package struct HeadSelection: Sendable, Equatable {
  /// `influence`, `lowest`, `all`, `random`, `per_layer` or `file`, with the estimator where one was used.
  package var method: String
  package var numHeads: Int
  package var tau: Double
  /// Selected heads of every layer, ascending; empty where none.
  package var kvIndices: [[Int]]
  /// Scores the choice was made from, `[L][Hkv]`; empty where none were used.
  package var scores: [[Double]]
  /// Heads of each layer.
  package var capacity: [Int]
  /// Layers whose heads are value heads of linear attention, ascending; those of the others are KV heads.
  package var linearLayers: [Int] = []

  package init(
    method: String, numHeads: Int, tau: Double, kvIndices: [[Int]], scores: [[Double]] = [], capacity: [Int]
  ) {
    self.method = method
    self.numHeads = numHeads
    self.tau = tau
    self.kvIndices = kvIndices
    self.scores = scores
    self.capacity = capacity
  }

  /// The kind of all heads, and of a layer's.
  package var kind: ValueHeads { ValueHeads(capacity: capacity, linear: linearLayers) }
  package func kind(of layer: Int) -> ValueHeads { linearLayers.contains(layer) ? .linear : .attention }

  /// Adapted layers only.
  package var adapted: [Int: [Int]] {
    Dictionary(uniqueKeysWithValues: kvIndices.enumerated().filter { !$0.element.isEmpty }.map { ($0, $1) })
  }

  /// The paper's selection: budgets by layer mass to the power tau, then the best heads of each layer.
  /// - Parameter fromLayer: the lowest layer whose heads are selected, here and below.
  /// - Precondition: scores are finite, one for each head.
  package static func influence(
    scores: [[Double]], numHeads: Int, tau: Double, fromLayer: Int = 0, method: String = "influence"
  ) -> HeadSelection {
    budgeted(scores: scores, numHeads: numHeads, tau: tau, fromLayer, method: method) { best($0, of: $1) }
  }

  /// For ablation: the same budgets, and in each layer its heads of lowest score, ties to the lower head.
  package static func lowest(
    scores: [[Double]], numHeads: Int, tau: Double, fromLayer: Int = 0, method: String = "lowest"
  ) -> HeadSelection {
    budgeted(scores: scores, numHeads: numHeads, tau: tau, fromLayer, method: method) { best($0, of: $1.map(-)) }
  }

  private static func budgeted(
    scores: [[Double]], numHeads: Int, tau: Double, _ fromLayer: Int, method: String,
    choosing: (_ count: Int, _ layer: [Double]) -> [Int]
  ) -> HeadSelection {
    let upper = scores.enumerated().map { $0.offset < fromLayer ? [] : $0.element }
    let capacity = upper.map(\.count)
    let all = capacity.reduce(0, +)
    let K = numHeads <= 0 || numHeads >= all ? all : numHeads
    let budgets = budgets(masses: upper.map { $0.reduce(0) { $0 + max($1, 0) } }, capacity: capacity, K: K, tau: tau)
    let kvIndices = zip(upper, budgets).map { choosing($1, $0) }
    return HeadSelection(
      method: method, numHeads: K, tau: tau, kvIndices: kvIndices, scores: scores, capacity: scores.map(\.count))
  }

  /// Every head of every layer.
  package static func all(capacity: [Int], fromLayer: Int = 0) -> HeadSelection {
    let upper = Self.upper(capacity, from: fromLayer)
    return HeadSelection(
      method: SelectionMethod.all.rawValue, numHeads: upper.reduce(0, +), tau: 0,
      kvIndices: upper.map { Array(0..<$0) }, capacity: capacity)
  }

  /// Heads of each layer, none below the first.
  package static func upper(_ capacity: [Int], from first: Int) -> [Int] {
    capacity.enumerated().map { $0.offset < first ? 0 : $0.element }
  }

  /// `numHeads` heads drawn from all layers, for ablation.
  package static func random(numHeads: Int, seed: UInt64, capacity: [Int], fromLayer: Int = 0) -> HeadSelection {
    let upper = Self.upper(capacity, from: fromLayer)
    var heads = Array(0..<upper.reduce(0, +))
    var generator = SplitMix64(seed: seed)
    generator.shuffle(&heads)
    let chosen = Set(heads.prefix(numHeads <= 0 ? heads.count : numHeads))
    var first = 0
    let kvIndices = upper.map { count in
      defer { first += count }
      return (0..<count).filter { chosen.contains(first + $0) }
    }
    return HeadSelection(
      method: SelectionMethod.random.rawValue, numHeads: chosen.count, tau: 0, kvIndices: kvIndices, capacity: capacity)
  }

  /// The `count` best heads of every layer, ties to the lower head.
  package static func perLayer(_ count: Int, scores: [[Double]], fromLayer: Int = 0) -> HeadSelection {
    let kvIndices = scores.enumerated().map { layer, scores in
      layer < fromLayer ? [] : best(min(count, scores.count), of: scores)
    }
    return HeadSelection(
      method: SelectionMethod.perLayer.rawValue, numHeads: kvIndices.reduce(0) { $0 + $1.count }, tau: 0,
      kvIndices: kvIndices,
      scores: scores, capacity: scores.map(\.count))
  }

  /// Heads of highest score, ascending; ties to the lower head.
  private static func best(_ count: Int, of layer: [Double]) -> [Int] {
    layer.indices.sorted { (layer[$1], $0) < (layer[$0], $1) }.prefix(count).sorted()
  }

  /// k_l by rounding K p_l, then repaired one head at a time until they sum to K.
  static func budgets(masses: [Double], capacity: [Int], K: Int, tau: Double) -> [Int] {
    func powers(over unit: Double) -> [Double] { masses.map { pow(max($0, 1e-12) / unit, tau) } }
    var weights = masses.allSatisfy { $0 == 0 } ? capacity.map(Double.init) : powers(over: 1)
    var total = weights.reduce(0, +)
    if total == 0 || !total.isFinite {  // powers beyond what a Double holds
      weights = powers(over: max(masses.max() ?? 1, 1e-12))
      total = weights.reduce(0, +)
    }
    var budgets = zip(weights, capacity).map { min(Int((Double(K) * $0 / total + 0.5).rounded(.down)), $1) }
    // Highest mass first for additions, lowest first for removals, ties to the lower layer; one head a layer and round.
    while budgets.reduce(0, +) < K {
      for layer in masses.indices.sorted(by: { (masses[$1], $0) < (masses[$0], $1) })
      where budgets[layer] < capacity[layer] && budgets.reduce(0, +) < K { budgets[layer] += 1 }
    }
    while budgets.reduce(0, +) > K {
      for layer in masses.indices.sorted(by: { (masses[$0], $0) < (masses[$1], $1) })
      where budgets[layer] > 0 && budgets.reduce(0, +) > K { budgets[layer] -= 1 }
    }
    return budgets
  }
}
