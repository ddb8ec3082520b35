// The tokenizer against the `tokenizers` library (scripts/make-tokenizer-fixtures.py) and published vectors.
import Files
import Digests
import Foundation
import Testing

@testable import HuggingFace

@Suite struct TokenizerTests {
  /// The released pieces and merges that the texts below can reach, with the released ids; loaded once.
  static let released = Result { try Tokenizer(folder: Fixtures.path("qwen2.5-vl")) }
  let tokenizer: Tokenizer

  init() throws { tokenizer = try Self.released.get() }

  func check(_ cases: JSON, _ tokenizer: Tokenizer? = nil) {
    let tokenizer = tokenizer ?? self.tokenizer
    #expect(cases.items.count > 10)
    for item in cases.items {
      let ids = tokenizer.encode(item.items[0].text)
      #expect(ids.map(Int.init) == item.items[1].integers, "\(item.items[0].text.debugDescription)")
    }
  }

  @Test("The 46 published vectors of llama.cpp for the Qwen2 vocabulary")
  func vectors() throws {
    func text(_ name: String) throws -> String {
      try String(contentsOfFile: Fixtures.path("vectors/ggml-vocab-qwen2.gguf.\(name)"), encoding: .utf8)
    }
    // Both files end with their separator.
    let inputs = try text("inp").components(separatedBy: "\n__ggml_vocab_test__\n").dropLast()
    let outputs = try text("out").components(separatedBy: "\n").dropLast()
    #expect(inputs.count == 46 && outputs.count == 46)
    for (input, output) in zip(inputs, outputs) {
      #expect(tokenizer.encode(input) == output.split(separator: " ").compactMap { Int32($0) }, "\(input)")
      #expect(tokenizer.decode(tokenizer.encode(input)) == input.precomposedStringWithCanonicalMapping)
    }
  }

  @Test("GSM8K problems and answers give the library's ids")
  func gsm8k() throws { check(try Fixtures.json("gsm8k-cases.json")) }

  @Test("Hard Unicode gives the library's ids")
  func unicode() throws { check(try Fixtures.json("unicode-cases.json")) }

  /// `scripts/research/evidence/tokenizer_fixture.py` writes them.
  @Test("SmolLM2's digits, spaces, missing bytes and words give the library's ids")
  func digitsGPT2() throws {
    let small = try Tokenizer(folder: Fixtures.path("smollm2"))
    check(try Fixtures.json("smollm2/cases.json"), small)
    #expect(small.encode("\u{4}a\u{1D}") == small.encode("a") && small.decode(small.encode("e\u{301}")) == "e\u{301}")
  }

  @Test("Every scalar of Unicode is a letter, number or space exactly where the library's expressions match it")
  func kinds() throws {
    let kinds = try Fixtures.json("scalar-kinds.json")
    var expected = [WordScanner.Kind](repeating: .other, count: 0x110000)
    for (name, kind) in [("letters", WordScanner.Kind.letter), ("numbers", .number), ("spaces", .space)] {
      let bounds = kinds[name].integers
      for index in stride(from: 0, to: bounds.count, by: 2) {
        for scalar in bounds[index]...bounds[index + 1] { expected[scalar] = kind }
      }
    }
    let differing = (0x80..<0x110000).filter { code in
      Unicode.Scalar(UInt32(code)).map { scalar in
        // Marks are `other` of Qwen2's expression; see QwenWordsTests.
        let kind = WordScanner.kind(scalar)
        return (kind == .mark ? .other : kind) != expected[code]
      } ?? false
    }
    #expect(differing.isEmpty)
    for code in 0..<0x80 {
      let space: WordScanner.Kind = code == 10 || code == 13 ? .newline : .space
      let wanted = expected[code] == .space ? space : expected[code]
      #expect(WordScanner.kind(ascii: UInt8(code)) == wanted)
    }
  }

  @Test("Form C of strings around every scalar equals the library's normaliser")
  func normalization() throws {
    let normalization = CanonicalComposition()
    for item in try Fixtures.json("normalization-digests.json").items {
      guard case .integer(let block) = item.items[0] else { continue }
      var digest = SHA256()
      for code in max(block, 0xA0)..<block + 0x1000 {
        guard let scalar = Unicode.Scalar(UInt32(code)) else { continue }
        let c: [Unicode.Scalar] = [scalar]
        let afterMark = ["q", "\u{301}"] + c + ["\u{5B0}"] + c
        for text in [c, ["e"] + c + ["\u{323}", "\u{301}"], c + ["\u{338}"] + c, afterMark] {
          let bytes = text.flatMap { Array(String(Character($0)).utf8) }
          (normalization.normalized(bytes, bytes.indices) ?? bytes).withUnsafeBytes { digest.update($0) }
        }
      }
      #expect(digest.finish() == item.items[1].text, "block \(String(block, radix: 16))")
    }
  }

  @Test("Decoding equals the library's, broken UTF-8 and ids without a token included")
  func decoding() throws {
    for item in try Fixtures.json("decode-cases.json").items {
      #expect(tokenizer.decode(item.items[0].integers.map { Int32($0) }) == item.items[1].text)
    }
    #expect(tokenizer.decode([-1, 9707, 151_665, .max, .min]) == "Hello")
  }

  @Test("Tokens by text and by id")
  func lookup() {
    #expect(tokenizer.vocabularySize == 151_665)
    #expect(tokenizer.id(of: "<|im_end|>") == 151_645 && tokenizer.id(of: " Hello") == 21_927)
    #expect(tokenizer.id(of: "no such token at all") == nil)
    #expect(tokenizer.text(of: 21_927) == " Hello" && tokenizer.text(of: 198) == "\\n")
    let byte = tokenizer.vocabulary.byteIDs[0xE2]
    #expect(tokenizer.bytes(of: byte) == [0xE2] && tokenizer.text(of: byte) == "\\xe2")
    #expect(tokenizer.text(of: 151_655) == "<|image_pad|>" && tokenizer.bytes(of: -5).isEmpty)
  }

  @Test("A word of 200,000 letters takes n log n time")
  func longWord() {
    let ids = tokenizer.encode(String(repeating: "ab", count: 100_000))
    #expect(tokenizer.decode(ids).utf8.count == 200_000)
  }

  @Test("An empty text has no tokens")
  func empty() { #expect(tokenizer.encode("").isEmpty && tokenizer.decode([]).isEmpty) }
}
