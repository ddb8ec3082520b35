// Part of the training examples set aside for validation: by image, and so that more rows move none of the others.
import Digests
import Files

/// One side of a split.
package struct ExampleSplit: Sendable, Equatable {
  package enum Side: String, Sendable { case training, validation }

  /// The share of validation, above 0 and below 1.
  package var fraction: Double
  package var seed: UInt64
  package var side: Side
  package init(fraction: Double, seed: UInt64, side: Side) {
    (self.fraction, self.seed, self.side) = (fraction, seed, side)
  }

  /// The examples of this side.
  /// - Throws: `DatasetError.split` where either side has none.
  func side(of set: Dataset, title: String) throws(DatasetError) -> Dataset {
    let isValidation = roots(of: set.examples).map { draws(set.identities[$0]) }
    guard isValidation.contains(true), isValidation.contains(false) else {
      throw .split(
        file: title, examples: isValidation.count, empty: isValidation.contains(true) ? .training : .validation)
    }
    let wanted = side == .validation
    return set.selecting(
      isValidation.indices.filter { isValidation[$0] == wanted },
      digest: SHA256.hex("\(set.digest)\n\(side.rawValue) \(fraction) \(seed)"))
  }

  /// Whether what has this identity is drawn for validation; no other example matters.
  private func draws(_ identity: String) -> Bool {
    let digits = SHA256.hex("\(seed) \(identity)").prefix(13)
    return Double(UInt64(digits, radix: 16) ?? 0) / 0x1p52 < fraction
  }

  /// For each example the first one of those that it stays together with: they share an image, or each shares one with
  /// the next of a chain.
  private func roots(of examples: [Example]) -> [Int] {
    var parents = Array(examples.indices)
    func root(_ index: Int) -> Int {
      var index = index
      while parents[index] != index {
        parents[index] = parents[parents[index]]
        index = parents[index]
      }
      return index
    }
    var first: [ImageSource.Address: Int] = [:]
    for (index, example) in examples.enumerated() {
      for image in example.images {
        guard let other = first[image.address] else {
          first[image.address] = index
          continue
        }
        let (one, two) = (root(index), root(other))
        parents[max(one, two)] = min(one, two)
      }
    }
    return examples.indices.map(root)
  }
}
