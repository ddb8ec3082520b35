// Numbers as people read them in a page: few digits, grouped, with signs and units.
import Foundation

/// 1234567 as 1,234,567.
func grouped(_ value: Int) -> String {
  var digits = String(value.magnitude)
  var parts: [Substring] = []
  while digits.count > 3 {
    parts.append(Substring(digits.suffix(3)))
    digits.removeLast(3)
  }
  return (value < 0 ? "\u{2212}" : "") + ([Substring(digits)] + parts.reversed()).joined(separator: ",")
}

func fixed(_ value: Double, _ decimals: Int) -> String { signed(String(format: "%.\(decimals)f", value)) }

/// A few significant digits, powers of ten where a number is very large or small.
func significant(_ value: Double, digits: Int = 4) -> String {
  guard value.isFinite else { return value.isNaN ? "not a number" : "infinite" }
  if value == 0 { return "0" }
  let magnitude = abs(value)
  guard magnitude >= 1e-3, magnitude < 1e6 else { return signed(String(format: "%.\(digits - 2)e", value)) }
  return fixed(value, max(0, digits - 1 - Int(log10(magnitude).rounded(.down))))
}

/// A part of 1 as 59.1 %.
func percent(_ part: Double) -> String { fixed(100 * part, 1) + "\u{202F}%" }

/// Bytes with a binary prefix.
func bytes(_ count: Int) -> String {
  let value = Double(count)
  for (scale, unit) in [(0x1p30, "GiB"), (0x1p20, "MiB"), (0x1p10, "KiB")] where value >= scale {
    return fixed(value / scale, 1) + "\u{202F}" + unit
  }
  return "\(count)\u{202F}B"
}

/// A count with a decimal prefix, as 1.23 M.
func prefixed(_ count: Double) -> String {
  for (scale, prefix) in [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] where count >= scale {
    return fixed(count / scale, 2) + "\u{202F}" + prefix
  }
  return fixed(count, 0) + "\u{202F}"
}

/// Seconds with a unit that keeps digits.
func seconds(_ value: Double) -> String {
  value < 1 ? fixed(1000 * value, value < 0.1 ? 1 : 0) + "\u{202F}ms" : significant(value, digits: 3) + "\u{202F}s"
}

/// A count and what is counted.
func plural(_ count: Int, _ name: String) -> String { "\(grouped(count)) \(name)\(count == 1 ? "" : "s")" }

/// At most so many characters, an ellipsis where something was cut.
func shortened(_ text: String, to limit: Int) -> String {
  text.count <= limit ? text : text.prefix(limit - 1) + "…"
}

private func signed(_ number: String) -> String { number.replacing("-", with: "\u{2212}") }
