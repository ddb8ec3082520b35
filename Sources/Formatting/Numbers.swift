// Numbers for reading in a terminal: few digits, grouped, with units.
import Foundation

/// A number with a fixed count of decimals.
package func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

/// A number with its sign, also a plus.
package func signed(_ value: Double, _ decimals: Int) -> String { String(format: "%+.\(decimals)f", value) }

/// A number as 1.20e-05.
package func scientific(_ value: Double) -> String { String(format: "%.2e", value) }

/// A number of a few significant digits, powers of ten where it is very large or small.
package func significant(_ value: Double, digits: Int = 4) -> String {
  guard value.isFinite else { return value.isNaN ? "not a number" : "infinite" }
  if value == 0 { return "0" }
  let magnitude = abs(value)
  guard magnitude >= 1e-3, magnitude < 1e6 else { return String(format: "%.\(digits - 2)e", value) }
  return fixed(value, max(0, digits - 1 - Int(log10(magnitude).rounded(.down))))
}

/// 1234567 as 1,234,567.
package func grouped(_ value: Int) -> String {
  var digits = String(value.magnitude)
  var parts: [Substring] = []
  while digits.count > 3 {
    parts.append(Substring(digits.suffix(3)))
    digits.removeLast(3)
  }
  return (value < 0 ? "-" : "") + ([Substring(digits)] + parts.reversed()).joined(separator: ",")
}

/// A count and what is counted, as 1 rank or 2 ranks.
package func plural(_ count: Int, _ name: String) -> String { "\(grouped(count)) \(name)\(count == 1 ? "" : "s")" }

/// A part of 1 as 59.1%.
package func percent(_ part: Double, _ decimals: Int = 1) -> String { fixed(100 * part, decimals) + "%" }
