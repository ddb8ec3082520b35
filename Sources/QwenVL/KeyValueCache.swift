// Keys and values of every layer: of one pass in training, kept between passes in generation.
import HuggingFace
import Tensors

/// Rotated keys and adapted values of the rows that a decoder has seen.
public final class KeyValueCache<Element: Scalar> {
  private let keys: [Matrix<Element>]
  private let values: [Matrix<Element>]
  public let capacity: Int
  /// Rows seen by all layers.
  public private(set) var count = 0

  /// Room for `capacity` rows in each layer.
  public init(capacity: Int, configuration: TextConfiguration) {
    self.capacity = capacity
    let width = configuration.kvHeads * configuration.headDimension
    keys = (0..<configuration.layers).map { _ in Matrix(uninitialized: capacity, width) }
    values = (0..<configuration.layers).map { _ in Matrix(uninitialized: capacity, width) }
  }

  /// Views to write the next `rows` rows of a layer into.
  func newRows(_ rows: Int, layer: Int) -> (keys: Matrix<Element>, values: Matrix<Element>) {
    (keys[layer].rows(count..<count + rows), values[layer].rows(count..<count + rows))
  }

  /// Everything that a layer's queries may see: the rows before and the `rows` new ones.
  func rows(through rows: Int, layer: Int) -> (keys: Matrix<Element>, values: Matrix<Element>) {
    (keys[layer].rows(0..<count + rows), values[layer].rows(0..<count + rows))
  }

  /// Called once after all layers have written their `rows`.
  func advance(by rows: Int) { count += rows }
}
