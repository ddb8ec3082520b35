// How fast ranks are: hosts of a cluster are not alike, and work is dealt so that all finish together.
import Foundation

/// What a rank has measured of its own speed.
package struct RankSpeed: Sendable {
  /// Bits of a code.
  package static let bits = 16
  private var cost = 0.0
  private var seconds = 0.0

  package init() {}

  /// Takes a piece of work: its cost in any unit, and its time. What lies five pieces back hardly counts.
  ///
  /// A rank that got no work (cost 0) slowly takes itself for faster, so that it gets some and can measure again.
  package mutating func took(_ seconds: Double, for cost: Double) {
    guard cost > 0 else { return self.seconds *= 0.8 }
    self.cost = 0.6 * self.cost + cost
    self.seconds = 0.6 * self.seconds + max(seconds, 1e-9)
  }

  /// The speed (cost a second) in steps of about one percent, for the other ranks; 0 where it is unknown.
  package var code: UInt16 {
    guard cost > 0, seconds > 0 else { return 0 }
    return UInt16(max(1, min(65_535, (Self.steps * log2(cost / seconds)).rounded() + Self.origin)))
  }

  /// The speeds that codes of all ranks stand for: cost a second. Ranks within a tenth of each other are taken for
  /// equally fast, since times are noisy; an unknown speed is the mean of the known ones, or 1.
  ///
  /// Only products of exactly the same numbers are formed, so that all hosts find the same bits.
  package static func speeds(_ codes: [UInt16]) -> [Double] {
    let known = codes.filter { $0 > 0 }
    guard let slowest = known.min(), let fastest = known.max() else { return codes.map { _ in 1 } }
    // 2^0.1375 = 1.1
    guard Double(fastest - slowest) > Self.steps * 0.1375 else { return codes.map { _ in speed(fastest) } }
    let mean = known.reduce(0) { $0 + speed($1) } / Double(known.count)
    return codes.map { $0 > 0 ? speed($0) : mean }
  }

  private static let steps = 64.0
  private static let origin = 16_384.0

  private static func speed(_ code: UInt16) -> Double {
    let power = Int(code) - Int(origin)
    let whole = power >> 6
    var fraction = 1.0
    for _ in 0..<power - whole << 6 { fraction *= 0x1.02c9a3e778061p0 }  // 2^(1/64)
    return Double(sign: .plus, exponent: max(-300, min(300, whole)), significand: fraction)
  }
}
