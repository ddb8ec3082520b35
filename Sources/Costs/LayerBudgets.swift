// How many heads of each layer an Image-LoRA adapts: all that its cost depends on.
import HuggingFace

/// How many heads of each layer have an adapter; which ones costs nothing.
package struct LayerBudgets: Equatable {
  /// One count a layer.
  package let heads: [Int]

  package init(heads: [Int]) { self.heads = heads }

  /// Spread evenly over layers that have heads, from the lowest on: the most layers, hence the most parameters, and the
  /// longest way back.
  /// - Parameter capacity: heads of each layer.
  package static func even(_ count: Int, capacity: [Int]) -> LayerBudgets {
    var rest = min(max(count, 1), capacity.reduce(0, +))
    var heads = [Int](repeating: 0, count: capacity.count)
    while rest > 0 {
      let open = capacity.indices.filter { heads[$0] < capacity[$0] }
      let (K, L) = (min(rest, open.count), open.count)
      func before(_ index: Int) -> Int { (index * K + L - 1) / L }
      for (index, layer) in open.enumerated() { heads[layer] += before(index + 1) - before(index) }
      rest -= K
    }
    return LayerBudgets(heads: heads)
  }

  /// Whole layers at the top: the fewest parameters and the shortest way back.
  /// - Parameter capacity: heads of each layer.
  package static func fewestLayers(_ count: Int, capacity: [Int]) -> LayerBudgets {
    var rest = min(max(count, 1), capacity.reduce(0, +))
    var heads = [Int](repeating: 0, count: capacity.count)
    for (layer, capacity) in capacity.enumerated().reversed() {
      heads[layer] = min(rest, capacity)
      rest -= heads[layer]
    }
    return LayerBudgets(heads: heads)
  }

  package var selected: Int { heads.reduce(0, +) }
  package var layers: Int { heads.count { $0 > 0 } }
  /// The lowest adapted layer, where backward ends.
  package var lowest: Int { heads.firstIndex { $0 > 0 } ?? heads.count }

  /// Trainable parameters: H r + |S_l| r D + 1 an adapted layer.
  package func parameters(rank r: Int, _ text: TextConfiguration) -> Int { layers + matrices(rank: r, text) }

  /// The adapter's own multiply-adds of one forward pass, |I_v| (H r + |S_l| r D) an adapted layer; backward is twice.
  package func multiplyAdds(visualTokens: Int, rank r: Int, _ text: TextConfiguration) -> Double {
    Double(visualTokens) * Double(matrices(rank: r, text))
  }

  private func matrices(rank r: Int, _ text: TextConfiguration) -> Int {
    heads.enumerated().reduce(0) { sum, layer in
      layer.element > 0
        ? sum + r * (text.hiddenSize + layer.element * text.valueHeads(of: layer.offset).dimension) : sum
    }
  }
}
