// Sums that are the same bits in every order and on every number of ranks: fixed-point words of 128 bits.
import Glibc  // Rounding is a call of the C library's on processors without SSE4.1, the compiler's default.

/// A flat buffer of exact sums.
///
/// A word counts in units of 2^-80. An addend is a multiple of that unit if it is a `Float` of at least 2^-57 in
/// magnitude; a smaller one is rounded to the nearest multiple, ties to even, by itself and hence in the same way
/// everywhere. Integer addition is associative, so the sum depends neither on the order nor on the ranks that add.
/// Addends that are not finite, or of magnitude 2^31 or more, are left out and counted (`nonFinite`). So no word can
/// overflow with up to 2^16 = 65,536 addends over all ranks: 2^16 (2^31 - 2^-22) 2^80 < 2^127; nor with any number of
/// addends whose magnitudes add up to less than 2^47.
package struct ExactSum: Sendable {
  /// The sums' words, followed by the counter of what was left out.
  private var words: [Int128]

  /// Zero sums.
  package init(count: Int) { words = [Int128](repeating: 0, count: count + 1) }

  /// The number of sums.
  package var count: Int { words.count - 1 }

  /// How many addends were left out as not finite or too large, for the whole buffer; after `reduce` by all ranks.
  package var nonFinite: Int { Int(clamping: words[count]) }

  /// Adds the values to the sums from `offset` on.
  package mutating func add(_ values: UnsafeBufferPointer<Float>, at offset: Int) {
    precondition(offset >= 0 && offset + values.count <= count, "values reach beyond the sums")
    words.withUnsafeMutableBufferPointer { words in
      var refused: Int128 = 0
      for index in values.indices {
        let bits = values[index].bitPattern
        let exponent = Int(bits >> 23 & 0xff)
        // The unit of the last place of a Float of this exponent is 2^(exponent - 150): a shift of exponent - 70.
        if exponent < 70 {
          words[offset &+ index] &+= Int128(Int64((Double(values[index]) * 0x1p80).rounded(.toNearestOrEven)))
        } else if exponent < 127 + 31 {
          let magnitude = Int128(bits & 0x7f_ffff | 0x80_0000) &<< Int128(exponent &- 70)
          let sign = Int128(Int32(bitPattern: bits) >> 31)  // 0 or -1
          words[offset &+ index] &+= (magnitude ^ sign) &- sign
        } else {
          refused &+= 1
        }
      }
      words[words.count - 1] &+= refused
    }
  }

  /// Adds one value to one sum; exact for a multiple of 2^-80, to the nearest multiple otherwise.
  package mutating func add(_ value: Double, at index: Int) {
    precondition(index >= 0 && index < count, "no such sum")
    let refused = words[index].add(value)
    words[count] &+= refused
  }

  /// Adds an integer to a word that is read by `count(at:)` and holds integers alone.
  package mutating func add(count: Int, at index: Int) {
    precondition(index >= 0 && index < self.count, "no such sum")
    words[index] &+= Int128(count)
  }

  /// Adds to a word that is read by `word(at:)` and holds such addends alone; their sum must fit it.
  package mutating func add(word: Int128, at index: Int) {
    precondition(index >= 0 && index < count, "no such sum")
    words[index] &+= word
  }

  /// A word as it is.
  package func word(at index: Int) -> Int128 {
    precondition(index >= 0 && index < count, "no such sum")
    return words[index]
  }

  /// Adds up all ranks' sums: afterwards the same bits on every rank. Throws what the communicator throws.
  /// - Important: Collective; every rank has the same count.
  package mutating func reduce(over communicator: some Communicator) throws {
    try words.withUnsafeMutableBufferPointer { try communicator.sum($0) }
  }

  /// A sum, correctly rounded.
  package func value(at index: Int) -> Double {
    precondition(index >= 0 && index < count, "no such sum")
    return words[index].rounded()
  }

  /// Sums, each correctly rounded.
  package func values(_ range: Range<Int>) -> [Float] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "no such sums")
    return range.map { words[$0].rounded() }
  }

  /// An integer word.
  package func count(at index: Int) -> Int {
    precondition(index >= 0 && index < count, "no such sum")
    return Int(clamping: words[index])
  }

  /// Sets all sums and the counter to zero.
  package mutating func reset() {
    for index in words.indices { words[index] = 0 }
  }
}

extension Int128 {
  /// Adds a value in units of 2^-80; returns 1 if it was left out and 0 otherwise.
  fileprivate mutating func add(_ value: Double) -> Int128 {
    guard value.magnitude < 0x1p31 else { return 1 }
    // Scaling is exact: upwards by a power of two, and far from overflow.
    self &+= Int128((value * 0x1p80).rounded(.toNearestOrEven))
    return 0
  }

  /// The value in units of 2^-80, correctly rounded, ties to even.
  fileprivate func rounded<Real: BinaryFloatingPoint>() -> Real {
    let magnitude = self.magnitude
    let excess = Swift.max(0, 64 - magnitude.leadingZeroBitCount)
    // The upper 64 bits, the lowest of them set if anything follows: enough to round correctly to 24 or 53 bits.
    let lost = magnitude & ((1 << UInt128(excess)) - 1)
    let significand = UInt64(truncatingIfNeeded: magnitude >> UInt128(excess)) | (lost == 0 ? 0 : 1)
    let value = Real(sign: .plus, exponent: Real.Exponent(excess - 80), significand: Real(significand))
    return self < 0 ? -value : value
  }
}
