import Testing

@testable import Formatting

@Suite("Numbers, units and columns for terminals")
struct FormattingTests {
  @Test func thousands() {
    #expect([0, 999, 1000, -1_234_567].map(grouped) == ["0", "999", "1,000", "-1,234,567"])
  }

  @Test("bytes have a binary prefix, and a decimal where there is one digit or gibibytes")
  func sizes() {
    #expect(
      [512, 3 * 0x1p20, 20 * 0x1p20, 7.5 * 0x1p30].map(binarySize) == ["512 B", "3.0 MiB", "20 MiB", "7.5 GiB"])
  }

  @Test("counts have a decimal prefix from a thousand on")
  func prefixes() {
    #expect([7, 1500, 2.5e12].map { prefixed($0, "FLOP") } == ["7 FLOP", "1.50 kFLOP", "2.50 TFLOP"])
  }

  @Test("spans of time keep two units")
  func durations() {
    #expect([0.4, 59.4, 725, 12_000].map(duration) == ["0s", "59s", "12m05s", "3h20m"])
    #expect([0.0123, 0.5, 4.56].map(shortDuration) == ["12.3 ms", "500 ms", "4.56 s"])
  }

  @Test("significant digits, powers of ten where a number is very large or small")
  func significantDigits() {
    #expect(
      [0, 0.5, 123.456, 1e-9, 2.5e9].map { significant($0) } == ["0", "0.5000", "123.5", "1.00e-09", "2.50e+09"])
    #expect(significant(.nan) == "not a number" && significant(-.infinity) == "infinite")
  }

  @Test("columns keep a text that is too long")
  func columns() {
    #expect(padded("ab", to: 4) == "ab  " && padded("abcdef", to: 4, gap: 2) == "abcdef  ")
    #expect(rightAligned("7", to: 3) == "  7" && rightAligned("1234", to: 3) == " 1234")
    #expect(shortened("abcdef", to: 4) == "abc…" && shortened("abc", to: 4) == "abc")
  }
}
