// Some of a model's layers, as a run file states them: a list, or the first and the last.

/// Numbers of layers, from 0, ascending, each once.
package struct LayerNumbers: Sendable, Equatable {
  package let numbers: [Int]
  var last: Int? { numbers.last }
  /// More than any model that can be opened has.
  private static let most = 1024

  private init?(_ numbers: [Int]) {
    let sorted = Set(numbers).sorted()
    guard let first = sorted.first, let last = sorted.last, first >= 0, last < Self.most, sorted.count == numbers.count
    else { return nil }
    self.numbers = sorted
  }
}

extension LayerNumbers: Value {
  static var expectation: String { "a list of layers, as [12, 13], or the first and the last, as 12-23" }

  init?(_ scalar: Scalar, folder: String) {
    let ends = scalar.text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last, last < Self.most,
      first >= 0
    else { return nil }
    self.init(Array(first...last))
  }

  init?(list: [Scalar]) {
    let numbers = list.compactMap { Int($0, folder: "") }
    guard numbers.count == list.count else { return nil }
    self.init(numbers)
  }

  var yaml: String { "[\(numbers.map(String.init).joined(separator: ", "))]" }
}
