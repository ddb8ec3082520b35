// Normal numbers for initialization and probes, the same bits on every machine.

/// Draws from N(0, 1) by Marsaglia's polar method.
///
/// Only +, -, *, / and square root are used, which IEEE 754 rounds exactly; a C library's `log` and `cos` may differ
/// in the last bit from one node to the next, and ranks must agree on every bit.
package struct NormalSource: Sendable {
  private var generator: SplitMix64
  private var spare: Double?

  /// A source for each pair, as of a run's seed and a layer.
  package init(seed: UInt64, stream: UInt64 = 0) {
    generator = SplitMix64(seed: seed, stream: stream)
  }

  /// The next number.
  package mutating func nextGaussian() -> Double {
    if let number = spare {
      spare = nil
      return number
    }
    while true {
      let (u, v) = (generator.nextSymmetric(), generator.nextSymmetric())
      let s = u * u + v * v
      guard s > 0, s < 1 else { continue }
      let factor = (-2 * naturalLogarithm(s) / s).squareRoot()
      spare = v * factor
      return u * factor
    }
  }
}

/// ln x for a positive normal number, within a few units of the last place: ln(2^e m) = e ln 2 + 2 artanh((m-1)/(m+1)).
func naturalLogarithm(_ x: Double) -> Double {
  var (exponent, significand) = (Double(x.exponent), x.significand)
  if significand > 1.414_213_562_373_095_1 {
    significand /= 2
    exponent += 1
  }
  // |z| <= 0.172, so the first term left out, z^25 / 25, is below 2^-64 of the sum.
  let z = (significand - 1) / (significand + 1)
  var sum = 0.0
  for odd in stride(from: 23.0, through: 1.0, by: -2.0) { sum = sum * (z * z) + 1 / odd }
  return exponent * 0.693_147_180_559_945_3 + 2 * z * sum
}
