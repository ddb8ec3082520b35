// Keys and values of every layer, kept between the passes of a generation.
import HuggingFace
import Tensors

/// Rotated keys and adapted values of rows that a decoder has seen; a `KeyRun` says which of them are a sequence's.
public final class KeyValueCache<Element: Scalar> {
  private let keys: [Matrix<Element>]
  private let values: [Matrix<Element>]

  /// Room for `capacity` rows in each layer.
  public init(capacity: Int, configuration: TextConfiguration) {
    let width = configuration.kvHeads * configuration.headDimension
    keys = (0..<configuration.layers).map { _ in Matrix(uninitialized: capacity, width) }
    values = (0..<configuration.layers).map { _ in Matrix(uninitialized: capacity, width) }
  }

  /// Takes the keys and values of new rows of a layer, `[N, kvHeads D]` each, to its rows `places`.
  /// - Returns: all of the layer's, `[capacity, kvHeads D]`; rows that nothing was written to are undefined.
  func adding(
    _ newKeys: Matrix<Element>, _ newValues: Matrix<Element>, at places: [Int], layer: Int
  ) -> (keys: Matrix<Element>, values: Matrix<Element>) {
    for (row, place) in places.enumerated() {
      keys[layer].rows(place..<place + 1).assign(newKeys.rows(row..<row + 1))
      values[layer].rows(place..<place + 1).assign(newValues.rows(row..<row + 1))
    }
    return (keys[layer], values[layer])
  }
}
