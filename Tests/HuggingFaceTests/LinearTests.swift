// The tokenizer and the JSON parser on long texts made to be slow: twice the text takes about twice the time.
import Files
import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct LinearTests {
  /// Texts whose parts repeat: marks in the wrong order, one word, beginnings of added tokens, blanks, jamo, digits.
  static let repeated = [
    "\u{301}\u{316}", "\u{315}\u{300}\u{5B0}", "a", "ab", "<|im_star", "<", " ", " \n", "\n ", "'", "'s", "7", "日",
    "\u{1100}\u{1161}\u{11A8}", "\u{1FBE}\u{308}\u{301}", "🦙", "!\r\n", "e\u{301}", "\0",
  ]

  @Test("Tokenizing is nearly linear", arguments: repeated)
  func tokenizer(_ part: String) throws {
    let tokenizer = try TokenizerTests.released.get()
    let growth = growth(to: 400_000 / part.utf8.count) {
      "a" + String(repeating: part, count: $0)
    } work: {
      tokenizer.encode($0).count
    }
    #expect(growth < 3)
  }

  @Test("A megabyte of marks is tokenized within a second")
  func marks() throws {
    let tokenizer = try TokenizerTests.released.get()
    let text = "a" + String(repeating: "\u{301}\u{316}", count: 250_000)
    let time = threadTime { _ = tokenizer.encode(text) }
    #expect(time < .seconds(2))
  }

  @Test("Canonical order is that of a stable sort, in long runs too")
  func order() {
    // Classes 230, 220, 230, 220 ... are sorted to all 220 before all 230, each in its order.
    let text = "q" + String(repeating: "\u{301}\u{316}\u{300}\u{317}", count: 5000)
    let sorted =
      "q" + String(repeating: "\u{316}\u{317}", count: 5000) + String(repeating: "\u{301}\u{300}", count: 5000)
    let bytes = Array(text.utf8)
    #expect(CanonicalComposition().normalized(bytes, bytes.indices) == Array(sorted.utf8))
  }

  @Test("A text never has fewer tokens than its bytes say", arguments: repeated + ["Hello world ", "<|im_end|>", "ΐ"])
  func fewest(_ part: String) throws {
    let tokenizer = try TokenizerTests.released.get()
    for count in [0, 1, 7, 3000] {
      let text = String(repeating: part, count: count)
      let found = tokenizer.encode(text).count
      let whole = tokenizer.fewestTokens(of: Array(text.utf8), isWhole: true)
      let some = tokenizer.fewestTokens(of: text.utf8.filter { $0 > 0x20 }, isWhole: false)
      #expect(whole <= found && some <= found, "\(part.debugDescription) x \(count)")
    }
    let tokens = String(repeating: "<|im_end|>", count: 50)
    #expect(tokenizer.fewestTokens(of: Array(tokens.utf8), isWhole: true) == 50)
  }

  @Test("Form C makes no text shorter than the bound supposes")
  func shrinking() {
    let normalization = CanonicalComposition()
    // What composes most: the longest spelling of every composite.
    var singletons: [Unicode.Scalar: Unicode.Scalar] = [:]
    let scalars = (0..<0x30000 as Range<UInt32>).compactMap(Unicode.Scalar.init)
    func form(_ scalars: [Unicode.Scalar]) -> (before: [UInt8], after: [UInt8]) {
      let bytes = scalars.flatMap { Array(String($0).utf8) }
      return (bytes, normalization.normalized(bytes, bytes.indices) ?? bytes)
    }
    func decomposed(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
      Array(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars)
    }
    for scalar in scalars {
      let parts = decomposed(scalar)
      guard parts.count == 1, String(scalar).utf8.count > String(singletons[parts[0]] ?? parts[0]).utf8.count else {
        continue
      }
      singletons[parts[0]] = scalar
    }
    for scalar in scalars {
      let (before, after) = form(decomposed(scalar).map { singletons[$0] ?? $0 })
      let ascii = before.count { $0 < 0x80 }
      #expect(4 * ascii + before.count - ascii <= 4 * after.count, "\(scalar.value)")
    }
  }

  @Test(
    "Parsing JSON is linear",
    arguments: [
      ("[\"", "a", "\"]"), ("[\"", "\\u00e9\\n", "\"]"), ("[\"", "\u{301}", "\"]"), ("[0", ",1", "]"),
      ("[[]", ",[[]]", "]"),
      ("[", "7", "]"), ("[0.", "7", "]"), ("[1e-", "0", "1]"), ("{\"a\":1", ",\"a\":{\"b\":[]}", "}"), ("", " ", "0"),
      ("[", "[", ""), ("[\"", "\\", ""),
    ])
  func json(_ head: String, _ part: String, _ tail: String) {
    let growth = growth(to: 2_000_000 / part.utf8.count) {
      Array((head + String(repeating: part, count: $0) + tail).utf8)
    } work: {
      try? JSON(parsing: $0)
    }
    #expect(growth < 3)
  }
}
