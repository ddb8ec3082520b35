// Numbers as people read them in a page: a true minus sign and narrow spaces before units.
import Formatting

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String { typographic(Formatting.fixed(value, decimals)) }

/// A few significant digits, powers of ten where a number is very large or small.
func significant(_ value: Double, digits: Int = 4) -> String {
  Formatting.significant(value, digits: digits).replacing("-", with: "\u{2212}")
}

/// 1234567 as 1,234,567.
func grouped(_ value: Int) -> String { typographic(Formatting.grouped(value)) }

/// A part of 1 as 59.1 %.
func percent(_ part: Double) -> String { fixed(100 * part, 1) + "\u{202F}%" }

/// Bytes with a binary prefix.
func bytes(_ count: Int) -> String { typographic(binarySize(Double(count))) }

/// A count with a decimal prefix before its unit, as 1.23 MFLOP.
func prefixed(_ count: Double, _ unit: String) -> String { typographic(Formatting.prefixed(count, unit)) }

/// Seconds with a unit that keeps digits.
func seconds(_ value: Double) -> String { typographic(shortDuration(value)) }

private func typographic(_ number: String) -> String {
  number.replacing("-", with: "\u{2212}").replacing(" ", with: "\u{202F}")
}
