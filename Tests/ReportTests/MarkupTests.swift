import Testing

@testable import Report

@Suite("No text that is inserted into a page becomes markup")
struct MarkupTests {
  @Test func textIsEscaped() {
    let hostile = "</title><script>alert('x')</script>&amp;\" onload=\"x"
    let markup: Markup = "<p title=\"\(hostile)\">\(hostile)</p>"
    let safe =
      "&lt;/title&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;&quot; onload=&quot;x"
    #expect(markup.source == "<p title=\"\(safe)\">\(safe)</p>")
    #expect(("\(hostile.prefix(3))" as Markup).source == "&lt;/t")
  }

  /// Characters that HTML does not allow, or that would change the direction of text.
  @Test func controlsAreReplaced() {
    let markup: Markup = "\("a\u{0}b\u{1B}[31mc\u{202E}d\u{2066}e\u{85}\tf\n\u{FFFF}")"
    #expect(markup.source == "a\u{FFFD}b\u{FFFD}[31mc\u{FFFD}d\u{FFFD}e\u{FFFD}\tf\n\u{FFFD}")
  }

  @Test func markupIsNotEscapedTwice() {
    let inner: Markup = "<b>\("<")</b>"
    let none: Markup? = nil
    #expect(("\(inner)\([inner, inner])\(none)" as Markup).source == "<b>&lt;</b><b>&lt;</b><b>&lt;</b>")
    #expect([inner, "-"].joined(separator: ", ").source == "<b>&lt;</b>, -")
  }

  /// A line may end after the separators of a path or a name, and nowhere else.
  @Test func breakableNames() {
    #expect(breakable("/a_b/<c>").source == "/<wbr>a_<wbr>b/<wbr>&lt;c&gt;")
    #expect(breakable("word").source == "word" && breakable("").source == "")
  }

  @Test func numbers() {
    let (count, length, tiny) = (1200, 1.0 / 3, -1e-9)
    #expect(("\(count) \(length) \(2.0) \(tiny) \(1e18)" as Markup).source == "1200 0.33 2 0 1e+18")
  }

  @Test func writtenNumbers() {
    #expect(grouped(1_234_567) == "1,234,567" && grouped(-12) == "\u{2212}12" && grouped(999) == "999")
    #expect(
      significant(0.36214) == "0.3621" && significant(12.345) == "12.35"
        && significant(1e-5, digits: 3) == "1.0e\u{2212}05")
    #expect(significant(.nan) == "not a number" && significant(-.infinity) == "infinite" && significant(0) == "0")
    #expect(percent(0.5906) == "59.1\u{202F}%" && seconds(0.0123) == "12.3\u{202F}ms" && seconds(2) == "2.00\u{202F}s")
    #expect(bytes(213_152) == "208\u{202F}KiB" && prefixed(1.5e9, "FLOP") == "1.50\u{202F}GFLOP")
  }
}
