// Sums that are the same bits in every order and on every number of ranks: fixed-point words of 64 bits.

/// What a word of an exact sum counts in, and how large its addends may be.
package struct FixedPoint: Sendable, Equatable {
  /// Addends have magnitudes below 2^limit.
  package let limit: Int
  /// A word counts in units of 2^unit.
  package let unit: Int

  /// The finest unit with which that many addends, over all ranks, cannot overflow a word.
  package init(limit: Int, addends: Int) {
    precondition(addends > 0, "a sum has addends")
    self.limit = limit
    // Rounded addends are at most 2^(limit - unit), so their sum is at most 2^62.
    unit = limit + (Int.bitWidth - (addends - 1).leadingZeroBitCount) - 62
  }

  /// The multiple of the unit nearest to a Float below the limit, ties to even.
  @inline(__always)
  func word(_ bits: UInt32) -> Int64 {
    let exponent = Int(bits >> 23 & 0xff)
    let significand = Int64(bits & 0x7f_ffff | (exponent > 0 ? 0x80_0000 : 0))
    let shift = max(exponent, 1) &- 150 &- unit
    let magnitude: Int64
    if shift >= 0 {
      magnitude = significand &<< Int64(shift)
    } else if shift > -25 {
      let lost = Int64(0) &- Int64(shift)
      let even = significand &>> lost & 1
      magnitude = (significand &+ (1 &<< (lost &- 1)) &- 1 &+ even) &>> lost
    } else {
      magnitude = 0
    }
    let sign = Int64(Int32(bitPattern: bits) >> 31)  // 0 or -1
    return (magnitude ^ sign) &- sign
  }

  /// The number that a word stands for, correctly rounded.
  func value(of word: Int64) -> Double { Double(word) * scale(unit) }
  func value(of word: Int64) -> Float { Float(Double(Float(word)) * scale(unit)) }

  func scale(_ exponent: Int) -> Double { Double(sign: .plus, exponent: exponent, significand: 1) }
}

/// A flat buffer of exact sums.
///
/// Each addend is rounded to a multiple of its word's unit by itself and hence in the same way everywhere. Integer
/// addition is associative, so a sum depends neither on the order nor on the ranks that add. What a word counts in,
/// the caller states with each call, the same on all ranks.
package struct ExactSum: Sendable {
  private var words: [Int64]

  /// What became of addends.
  package enum Outcome: Sendable, Equatable {
    case added
    /// Nothing was added: the largest magnitude, from 2^(exponent - 1) to below 2^exponent, is not below the limit.
    case tooLarge(exponent: Int)
    /// Nothing was added: one is not finite.
    case notFinite
  }

  /// Zero sums.
  package init(count: Int) { words = [Int64](repeating: 0, count: count) }

  /// The number of sums.
  package var count: Int { words.count }

  /// Adds the values to the sums from `offset` on, all or none.
  package mutating func add(_ values: UnsafeBufferPointer<Float>, at offset: Int, in form: FixedPoint) -> Outcome {
    precondition(offset >= 0 && offset + values.count <= count, "values reach beyond the sums")
    var largest: UInt32 = 0
    for index in values.indices { largest = max(largest, values[index].bitPattern & 0x7fff_ffff) }
    guard largest < 0x7f80_0000 else { return .notFinite }
    let exponent = Int(largest >> 23) - 126
    guard exponent <= form.limit else { return .tooLarge(exponent: exponent) }
    words.withUnsafeMutableBufferPointer { words in
      for index in values.indices { words[offset &+ index] &+= form.word(values[index].bitPattern) }
    }
    return .added
  }

  /// Adds one value to one sum.
  package mutating func add(_ value: Double, at index: Int, in form: FixedPoint) -> Outcome {
    precondition(index >= 0 && index < count, "no such sum")
    guard value.isFinite else { return .notFinite }
    guard value.magnitude < form.scale(form.limit) else { return .tooLarge(exponent: Int(value.exponent) + 1) }
    words[index] &+= Int64((value * form.scale(-form.unit)).rounded(.toNearestOrEven))
    return .added
  }

  /// Adds an integer to a word that holds integers alone.
  package mutating func add(count: Int, at index: Int) {
    precondition(index >= 0 && index < self.count, "no such sum")
    words[index] &+= Int64(count)
  }

  /// Adds up all ranks' sums: afterwards the same bits on every rank. Throws what the communicator throws.
  /// - Important: Collective; every rank has the same count.
  package mutating func reduce(over communicator: some Communicator) throws {
    try words.withUnsafeMutableBufferPointer { try communicator.sum($0) }
  }

  /// A sum, correctly rounded.
  package func value(at index: Int, in form: FixedPoint) -> Double { form.value(of: words[index]) }

  /// Sums, each correctly rounded.
  package func values(_ range: Range<Int>, in form: FixedPoint) -> [Float] {
    range.map { form.value(of: words[$0]) }
  }

  /// A power of two above the magnitudes of some sums, as its exponent; nil where all of them are zero.
  package func exponent(of range: Range<Int>, in form: FixedPoint) -> Int? {
    let largest = range.reduce(UInt64(0)) { max($0, words[$1].magnitude) }
    return largest > 0 ? UInt64.bitWidth - largest.leadingZeroBitCount + form.unit : nil
  }

  /// An integer word.
  package func count(at index: Int) -> Int { Int(words[index]) }

  /// Sets all sums to zero.
  package mutating func reset() {
    for index in words.indices { words[index] = 0 }
  }
}
