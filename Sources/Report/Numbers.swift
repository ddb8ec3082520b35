// Numbers formatted for a page: with a true minus sign, and narrow spaces before units.
import Formatting

/// A number with a fixed count of decimals.
func fixed(_ value: Double, _ decimals: Int) -> String { typographic(Formatting.fixed(value, decimals)) }

/// A few significant digits, with powers of ten for very large and very small numbers.
func significant(_ value: Double, digits: Int = 4) -> String {
  Formatting.significant(value, digits: digits).replacing("-", with: "\u{2212}")
}

/// 1234567 as 1,234,567.
func grouped(_ value: Int) -> String { typographic(Formatting.grouped(value)) }

/// A fraction of 1 as 59.1 %.
func percent(_ part: Double) -> String { fixed(100 * part, 1) + "\u{202F}%" }

/// Bytes with a binary prefix.
func bytes(_ count: Int) -> String { typographic(binarySize(Double(count))) }

/// A count with a decimal prefix before its unit, such as 1.23 MFLOP.
func prefixed(_ count: Double, _ unit: String) -> String { typographic(Formatting.prefixed(count, unit)) }

/// Seconds, with a unit that suits their magnitude.
func seconds(_ value: Double) -> String { typographic(shortDuration(value)) }

private func typographic(_ number: String) -> String {
  number.replacing("-", with: "\u{2212}").replacing(" ", with: "\u{202F}")
}
