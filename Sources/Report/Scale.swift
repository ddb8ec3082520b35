// Positions of values along an axis, and the round numbers that label it.
import Foundation

/// An axis from its lowest to its highest value.
struct Scale: Equatable {
  enum Kind { case linear, logarithmic }

  /// Larger magnitudes are not drawn: no loss is that large, and differences of such values could overflow.
  static let limit = 1e30

  let kind: Kind
  let lowest, highest: Double
  /// Round values between the ends, ascending.
  let ticks: [Double]

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
      if low == high {
        let room = low == 0 ? 0.5 : abs(low) / 10
        (low, high) = (low - room, high + room)
      }
      let step = Self.roundStep((high - low) / Double(count))
      if rounded { (low, high) = ((low / step + 1e-9).rounded(.down) * step, (high / step - 1e-9).rounded(.up) * step) }
      let first = (low / step - 1e-9).rounded(.up)
      ticks = stride(from: first, through: high / step + 1e-9, by: 1).map { $0 * step }
    case .logarithmic:
      // At least one decade, so that there is a tick.
      var (bottom, top) = (log10(low).rounded(.down), log10(high).rounded(.up))
      if top <= bottom { (bottom, top) = (bottom, bottom + 1) }
      if rounded { (low, high) = (pow(10, bottom), pow(10, top)) }
      let every = max(1, ((top - bottom) / Double(count)).rounded(.up))
      ticks = stride(from: bottom, through: top, by: every).map { pow(10, $0) }.filter { (low...high).contains($0) }
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
      return (1e-2..<1e4).contains(abs(tick)) ? significant(tick, digits: 1) : Self.power(tick)
    }
    let step = ticks.count > 1 ? ticks[1] - ticks[0] : largest
    // A step of 0.25 has two decimals, one of 0.2 has one.
    var decimals = 0
    while decimals < 12 {
      let shifted = step * pow(10, Double(decimals))
      if shifted > 0.5, abs(shifted - shifted.rounded()) < 1e-6 * shifted { break }
      decimals += 1
    }
    return fixed(tick, decimals)
  }

  /// 3e-05 as 3e−5.
  private static func power(_ value: Double) -> String {
    let parts = String(format: "%.4e", value).split(separator: "e")
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
