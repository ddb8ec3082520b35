// The project's random numbers: a small seeded generator, its bits the same on every machine and in every release.

/// SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixing function, so that any (seed, stream) starts at once.
///
/// Not the standard library's generators and shuffles: those may change between releases, and a run must not.
package struct SplitMix64: Sendable, Equatable {
  private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15
  private var state: UInt64

  /// The published generator from this state.
  package init(seed: UInt64) { state = seed }

  /// An independent generator for each pair, as of a run's seed and an epoch or layer.
  package init(seed: UInt64, stream: UInt64) {
    state = Self.mix(Self.mix(seed &+ Self.increment) ^ (stream &* Self.increment))
  }

  /// 64 uniform bits.
  package mutating func next() -> UInt64 {
    state &+= Self.increment
    return Self.mix(state)
  }

  /// A uniform multiple of 2^-52 in [-1, 1).
  package mutating func nextSymmetric() -> Double { Double(Int64(bitPattern: next()) >> 11) * 0x1p-52 }

  /// A uniform multiple of 2^-53 in [0, 1).
  package mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A uniform integer in `0..<bound`, without bias (Lemire 2019: multiply, reject the uneven rest).
  package mutating func next(below bound: Int) -> Int {
    precondition(bound > 0, "an empty range has no number")
    let bound = UInt64(bound)
    let uneven = (0 &- bound) % bound
    while true {
      let product = next().multipliedFullWidth(by: bound)
      if product.low >= uneven { return Int(product.high) }
    }
  }

  /// Fisher-Yates from the end: every order is equally likely.
  package mutating func shuffle<Element>(_ elements: inout [Element]) {
    for last in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(last, next(below: last + 1))
    }
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
