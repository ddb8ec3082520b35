// A range in parts.

/// `0..<count` in the fewest spans of nearly equal length, about `most` at most; all but the last a multiple.
package func spans(_ count: Int, atMost most: Int, multipleOf unit: Int = 1) -> [Range<Int>] {
  if count <= 0 { return [] }
  let parts = (count + most - 1) / most
  let length = ((count + parts - 1) / parts + unit - 1) / unit * unit
  return stride(from: 0, to: count, by: length).map { $0..<min($0 + length, count) }
}
