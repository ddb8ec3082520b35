// How a value differs from another one: with its sign, and whether that is better, in colour and in words.

/// A difference of two values of one measure.
struct Difference {
  enum Judgement: String {
    case better, worse
    /// The interval of the difference reaches to both sides of zero.
    case unclear
    case equal
  }

  /// Over several runs the mean and its interval.
  let estimate: Estimate
  private let lessIsBetter: Bool
  private let format: Format

  /// How a difference's magnitude is written.
  enum Format {
    /// A number with so many decimals.
    case decimals(Int)
    /// Of parts of 1 in percentage points: 0.03 as 3.0 points.
    case points

    func number(_ value: Double) -> String {
      switch self {
      case .decimals(let count): fixed(value, count)
      case .points: fixed(100 * value, 1)
      }
    }

    var unit: String? {
      switch self {
      case .decimals: nil
      case .points: "points"
      }
    }
  }

  init(_ estimate: Estimate, lessIsBetter: Bool, _ format: Format) {
    (self.estimate, self.lessIsBetter, self.format) = (estimate, lessIsBetter, format)
  }

  /// What differs by less than is written counts as equal.
  var judgement: Judgement {
    let (size, margin) = (format.number(abs(estimate.mean)), format.number(estimate.margin ?? 0))
    if [size, margin].allSatisfy({ $0 == format.number(0) }) { return .equal }
    if let margin = estimate.margin, margin >= abs(estimate.mean), margin > 0 { return .unclear }
    return (estimate.mean < 0) == lessIsBetter ? .better : .worse
  }

  /// As `+3.0 points` or `−0.0120 ± 0.0050`.
  var text: String {
    let size = format.number(abs(estimate.mean))
    let sign = size == format.number(0) ? "" : estimate.mean < 0 ? "\u{2212}" : "+"
    let margin = estimate.marginText(format.number).map { " \($0)" } ?? ""
    return "\(sign)\(size)\(margin)" + (format.unit.map { "\u{202F}\($0)" } ?? "")
  }

  var markup: Markup {
    judgement == .equal
      ? "<span class=\"equal\">equal</span>"
      : "<span class=\"\(judgement.rawValue)\">\(text) <em>\(judgement.rawValue)</em></span>"
  }
}
