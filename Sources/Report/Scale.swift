// Positions of values along an axis, and the round numbers that label it.
import Foundation

/// An axis from its lowest to its highest value.
struct Scale: Equatable {
  enum Kind { case linear, logarithmic }

  /// Larger magnitudes are not drawn: no loss is that large, and differences of such values could overflow.
  static let limit = 1e30
  /// Shorter axes, in parts of their largest value, are made so long: their ticks could not be told apart.
  private static let shortest = 1e-8

  let kind: Kind
  let lowest, highest: Double
  /// Round values between the ends, ascending.
  let ticks: [Double]
  /// From one tick to the next; of a logarithmic axis the factor.
  private let step: Double

  /// An axis for some values; from 0 to 1 if there are none.
  /// - Parameters:
  ///   - values: values that cannot be drawn (`isDrawable`) are ignored.
  ///   - count: approximate number of ticks.
  ///   - rounded: whether the ends are also rounded to ticks.
  init(_ kind: Kind = .linear, of values: some Sequence<Double>, ticks count: Int = 5, rounded: Bool = true) {
    self.kind = kind
    let drawn = values.filter { Self.isDrawable($0, kind) }
    var (low, high) = (drawn.min() ?? (kind == .linear ? 0 : 0.1), drawn.max() ?? 1)
    switch kind {
    case .linear:
      let largest = max(abs(low), abs(high))
      if largest < 1 / Self.limit {
        // Values so near to zero, denormal ones too, are drawn as zero.
        (low, high) = (-0.5, 0.5)
      } else if low == high {
        (low, high) = (low - largest / 10, high + largest / 10)
      } else if high - low < largest * Self.shortest {
        let (middle, room) = (low + (high - low) / 2, largest * Self.shortest / 2)
        (low, high) = (middle - room, middle + room)
      }
      let step = Self.roundStep((high - low) / Double(count))
      if rounded { (low, high) = ((low / step + 1e-9).rounded(.down) * step, (high / step - 1e-9).rounded(.up) * step) }
      let first = (low / step - 1e-9).rounded(.up)
      // The step bounds their number; the limit is for what rounding could do.
      let following = min(max((high / step + 1e-9).rounded(.down) - first, 0), Double(4 * count))
      ticks = (0...Int(following)).map { (first + Double($0)) * step }
      self.step = step
    case .logarithmic:
      // At least one decade, so that there is a tick.
      var (bottom, top) = (log10(low).rounded(.down), log10(high).rounded(.up))
      if top <= bottom { (bottom, top) = (bottom, bottom + 1) }
      if rounded { (low, high) = (pow(10, bottom), pow(10, top)) }
      let every = max(1, ((top - bottom) / Double(count)).rounded(.up))
      ticks = stride(from: bottom, through: top, by: every).map { pow(10, $0) }.filter { (low...high).contains($0) }
      step = pow(10, every)
    }
    (lowest, highest) = (low, high)
  }

  /// Whether a value can be placed on an axis.
  static func isDrawable(_ value: Double, _ kind: Kind = .linear) -> Bool {
    value.isFinite && abs(value) <= limit && (kind == .linear || value >= 1 / limit)
  }

  /// The position of a value between the ends: 0 is the lowest, 1 the highest; other values are outside 0...1.
  /// - Precondition: `value` is finite, and positive on a logarithmic axis.
  func place(of value: Double) -> Double {
    precondition(value.isFinite && (kind == .linear || value > 0))
    switch kind {
    case .linear: return (value - lowest) / (highest - lowest)
    case .logarithmic: return log(value / lowest) / log(highest / lowest)
    }
  }

  /// A tick's text, with enough decimals to distinguish it from its neighbours.
  func label(_ tick: Double) -> String {
    if tick == 0 { return "0" }
    let largest = ticks.map(abs).max() ?? 0
    if kind == .logarithmic || largest >= 1e6 || largest < 1e-3 {
      if (1e-2..<1e4).contains(abs(tick)) { return significant(tick, digits: 1) }
      // As many digits as tell the largest from its neighbour, whose step may be 2.5.
      let digits = kind == .linear ? Int(log10(largest / step).rounded(.up)) + 1 : 0
      return Self.power(tick, digits: min(max(digits, 4), 15))
    }
    // A step of 0.25 has two decimals, one of 0.2 has one.
    var decimals = 0
    while decimals < 15 {
      let shifted = step * pow(10, Double(decimals))
      if shifted > 0.5, abs(shifted - shifted.rounded()) < 1e-6 * shifted { break }
      decimals += 1
    }
    return fixed(tick, decimals)
  }

  /// 3e-05 as 3e−5.
  private static func power(_ value: Double, digits: Int) -> String {
    let parts = String(format: "%.\(digits)e", value).split(separator: "e")
    guard parts.count == 2, let exponent = Int(parts[1]), let mantissa = Double(parts[0]) else { return "\(value)" }
    return "\(significantDigits(mantissa))e\(exponent)".replacing("-", with: "\u{2212}")
  }

  /// 2.5000 as 2.5.
  private static func significantDigits(_ mantissa: Double) -> String {
    mantissa == mantissa.rounded() ? "\(Int(mantissa))" : "\(mantissa)"
  }

  /// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `step`.
  private static func roundStep(_ step: Double) -> Double {
    let power = pow(10, log10(step).rounded(.down))
    return ([1, 2, 2.5, 5].first { $0 * power >= step * (1 - 1e-9) } ?? 10) * power
  }
}
