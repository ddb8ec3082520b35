// A range in parts, and parts of a range.

/// `0..<count` in the fewest spans of nearly equal length, about `most` at most; all but the last a multiple.
package func spans(_ count: Int, atMost most: Int, multipleOf unit: Int = 1) -> [Range<Int>] {
  if count <= 0 { return [] }
  let parts = (count + most - 1) / most
  let length = ((count + parts - 1) / parts + unit - 1) / unit * unit
  return stride(from: 0, to: count, by: length).map { $0..<min($0 + length, count) }
}

extension [Range<Int>] {
  /// How many numbers they have.
  package var total: Int { reduce(0) { $0 + $1.count } }

  /// The numbers of at least one of them, as ascending ranges that do not touch.
  package var union: [Range<Int>] {
    sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { union, range in
      if let last = union.last, range.lowerBound <= last.upperBound {
        union[union.count - 1] = last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
      } else if !range.isEmpty {
        union.append(range)
      }
    }
  }

  /// Ascending ranges without empty ones, those that touch as one.
  package var joinedNeighbours: [Range<Int>] {
    reduce(into: []) { joined, range in
      if let last = joined.last, last.upperBound == range.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<range.upperBound
      } else if !range.isEmpty {
        joined.append(range)
      }
    }
  }
}
