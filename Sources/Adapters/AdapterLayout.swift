// Where each trainable number of an Image-LoRA lies in the one flat vector that is trained, reduced and stored.
import HuggingFace

/// Options of an Image-LoRA that decide its numbers.
public struct ImageLoRAConfiguration: Sendable, Equatable {
  /// Factor of a layer's delta beside alpha / rank.
  public enum Normalization: String, Sendable, CaseIterable {
    /// `1 / sqrt(|S_l|)`, so that layers with few and with many heads move alike (method: selection-size normalization).
    case inverseSqrtSelected = "inverse_sqrt_selected"
    case none
  }
  public var rank: Int
  public var alpha: Double
  public var normalization: Normalization
  /// Selected KV heads of each adapted layer, ascending.
  public var kvIndices: [Int: [Int]]

  public init(rank: Int, alpha: Double, normalization: Normalization, kvIndices: [Int: [Int]]) {
    self.rank = rank
    self.alpha = alpha
    self.normalization = normalization
    self.kvIndices = kvIndices.filter { !$0.value.isEmpty }.mapValues { $0.sorted() }
  }

  /// alpha / rank, normalised for a layer with `selected` heads.
  func scale(selected: Int) -> Double {
    switch normalization {
    case .inverseSqrtSelected: alpha / Double(rank) / Double(selected).squareRoot()
    case .none: alpha / Double(rank)
    }
  }
}

/// The flat order of an Image-LoRA's numbers: layers ascending, in each `A [H, r]`, `B [|S|, r, D]`, `gamma`.
public struct AdapterLayout: Sendable, Equatable {
  /// One adapted layer's place.
  public struct Layer: Sendable, Equatable {
    public let index: Int
    /// Selected KV heads, ascending.
    public let heads: [Int]
    public let loraA: Range<Int>
    public let loraB: Range<Int>
    public let gamma: Int
  }

  /// A tensor as files name it.
  public struct Tensor: Sendable, Equatable {
    /// `layers.{l}.{A,B,gamma}`
    public let name: String
    /// Empty for the scalar gamma.
    public let shape: [Int]
    public let range: Range<Int>
  }

  public let hiddenSize: Int
  public let headDimension: Int
  public let rank: Int
  public let layers: [Layer]
  /// All trainable numbers.
  public let count: Int

  public init(_ configuration: ImageLoRAConfiguration, text: TextConfiguration) {
    self.init(configuration, hiddenSize: text.hiddenSize, headDimension: text.headDimension)
  }

  /// The layout for a model of which no more than these widths is known.
  public init(_ configuration: ImageLoRAConfiguration, hiddenSize: Int, headDimension: Int) {
    (self.hiddenSize, self.headDimension) = (hiddenSize, headDimension)
    rank = configuration.rank
    var next = 0
    func take(_ numbers: Int) -> Range<Int> {
      defer { next += numbers }
      return next..<next + numbers
    }
    layers = configuration.kvIndices.sorted { $0.key < $1.key }.map { index, heads in
      Layer(
        index: index, heads: heads, loraA: take(hiddenSize * configuration.rank),
        loraB: take(heads.count * configuration.rank * headDimension), gamma: take(1).lowerBound)
    }
    count = next
  }

  /// Whether a model has these layers, heads and widths.
  public func fits(_ text: TextConfiguration) -> Bool {
    hiddenSize == text.hiddenSize && headDimension == text.headDimension
      && layers.allSatisfy { layer in
        layer.index < text.layers && layer.heads.allSatisfy { (0..<text.kvHeads).contains($0) }
      }
  }

  /// All tensors in flat order.
  public var tensors: [Tensor] {
    layers.flatMap { layer in
      [
        Tensor(name: "layers.\(layer.index).A", shape: [hiddenSize, rank], range: layer.loraA),
        Tensor(
          name: "layers.\(layer.index).B", shape: [layer.heads.count, rank, headDimension], range: layer.loraB),
        Tensor(name: "layers.\(layer.index).gamma", shape: [], range: layer.gamma..<layer.gamma + 1),
      ]
    }
  }
}
