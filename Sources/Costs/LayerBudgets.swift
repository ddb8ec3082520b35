// How many KV heads of each layer an Image-LoRA adapts: all that its cost depends on.
import HuggingFace

/// How many KV heads of each layer have an adapter; which ones costs nothing.
package struct LayerBudgets: Equatable {
  /// One count a layer.
  package let heads: [Int]

  package init(heads: [Int]) { self.heads = heads }

  /// Spread evenly over layers that have KV heads, from the lowest on: the most layers, hence the most parameters, and
  /// the longest way back.
  package static func even(_ count: Int, _ text: TextConfiguration) -> LayerBudgets {
    let layers = text.attentionLayers
    let (K, L) = (min(max(count, 1), text.totalHeads), layers.count)
    func before(_ index: Int) -> Int { (index * K + L - 1) / L }
    var heads = [Int](repeating: 0, count: text.layers)
    for (index, layer) in layers.enumerated() { heads[layer] = before(index + 1) - before(index) }
    return LayerBudgets(heads: heads)
  }

  /// Whole layers at the top: the fewest parameters and the shortest way back.
  package static func fewestLayers(_ count: Int, _ text: TextConfiguration) -> LayerBudgets {
    var rest = min(max(count, 1), text.totalHeads)
    var heads = [Int](repeating: 0, count: text.layers)
    for (layer, capacity) in text.headCapacity.enumerated().reversed() {
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
  package func parameters(rank r: Int, _ text: TextConfiguration) -> Int {
    layers * (text.hiddenSize * r + 1) + selected * r * text.headDimension
  }

  /// The adapter's own multiply-adds of one forward pass, |I_v| (H r + |S_l| r D) an adapted layer; backward is twice.
  package func multiplyAdds(visualTokens: Int, rank r: Int, _ text: TextConfiguration) -> Double {
    Double(visualTokens) * Double(layers * text.hiddenSize * r + selected * r * text.headDimension)
  }
}
