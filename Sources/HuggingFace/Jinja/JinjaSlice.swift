// Which elements a slice picks, as Python's `slice.indices` says, for any bounds and steps that 64 bits hold.

/// `[start:end:step]` of a given number of elements.
struct JinjaSlice {
  /// How many elements there are.
  let total: Int
  /// The first place that is picked.
  let first: Int
  /// From one place to the next; not beyond `total` in magnitude.
  let step: Int
  /// How many places are picked.
  let count: Int

  /// - Precondition: the step is not zero.
  init(start: Int?, end: Int?, step: Int, of total: Int) {
    // A longer step leaves the elements just the same.
    let step = min(max(step, -total - 1), total + 1)
    let limits = step > 0 ? 0...total : -1...total - 1
    func bound(_ bound: Int?, _ fallback: Int) -> Int {
      guard let bound else { return fallback }
      // Only a negative number is added to, so the sum fits.
      return min(max(bound < 0 ? bound + total : bound, limits.lowerBound), limits.upperBound)
    }
    let first = bound(start, step > 0 ? 0 : total - 1)
    let last = bound(end, step > 0 ? total : -1)
    let length = step > 0 ? last - first : first - last
    (self.total, self.first, self.step) = (total, first, step)
    count = length > 0 ? (length - 1) / abs(step) + 1 : 0
  }

  /// The places in their order.
  var places: some Sequence<Int> { (0..<count).lazy.map { first + $0 * step } }

  /// Most bytes of UTF-8 that the picked scalars of a text of so many bytes have.
  func bytes(of text: Int) -> Int { min(text, 4 * count) }
}
