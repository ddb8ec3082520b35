// Keys and values of every layer, kept between the passes of a generation.
import HuggingFace
import Tensors

/// Rotated keys and values of the rows before a pass, of every layer: the same in every pass, since no adapter of
/// visual tokens reaches rows before the first picture.
public struct EarlierRows<Element: Scalar>: Sendable {
  fileprivate let keys, values: [Matrix<Element>]
  public let count: Int

  /// A layer's keys and values, then those of the new rows.
  /// newKeys, newValues [N, kvHeads D] -> [count + N, kvHeads D]
  func followed(
    by newKeys: Matrix<Element>, _ newValues: Matrix<Element>, layer: Int
  ) -> (keys: Matrix<Element>, values: Matrix<Element>) {
    func joined(_ first: Matrix<Element>, _ second: Matrix<Element>) -> Matrix<Element> {
      let result = Matrix<Element>(uninitialized: first.rows + second.rows, first.columns)
      result.rows(0..<first.rows).assign(first)
      result.rows(first.rows..<result.rows).assign(second)
      return result
    }
    return (joined(keys[layer], newKeys), joined(values[layer], newValues))
  }
}

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

  /// All rows, for passes that begin behind them; nothing may be added afterwards.
  var earlierRows: EarlierRows<Element> { EarlierRows(keys: keys, values: values, count: keys.first?.rows ?? 0) }

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
