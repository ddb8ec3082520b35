// Qwen3.5's words, in which marks are letters, against the `tokenizers` library (scripts/make-template-fixtures.py).
import Files
import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct QwenWordsTests {
  private static let folder = "qwen3.5"

  @Test("Texts with marks of many scripts give the library's ids and words")
  func words() throws {
    let tokenizer = try Tokenizer(folder: Fixtures.path(Self.folder))
    #expect(tokenizer.words == .qwen3_5)
    let cases = try Fixtures.json("\(Self.folder)/words.json")["cases"].items
    #expect(cases.count == 400)
    var differing = 0
    for item in cases {
      let text = item.items[0].text
      #expect(tokenizer.encode(text).map(Int.init) == item.items[1].integers, "\(text.debugDescription)")
      let bytes = Array(text.utf8)
      let normal = CanonicalComposition().normalized(bytes, bytes.indices) ?? bytes
      #expect(lengths(normal, .qwen3_5) == item.items[2].integers, "\(text.debugDescription)")
      if lengths(normal, .qwen2) != item.items[2].integers { differing += 1 }
    }
    // Qwen2's rule would not do.
    #expect(differing > 200)
  }

  private func lengths(_ bytes: [UInt8], _ rule: WordScanner.Rule) -> [Int] {
    var scanner = WordScanner(bytes, bytes.indices, rule)
    var lengths: [Int] = []
    while let word = scanner.next() { lengths.append(word.count) }
    return lengths
  }

  @Test("Every scalar of Unicode is a mark exactly where the library's expressions match it")
  func marks() throws {
    let bounds = try Fixtures.json("\(Self.folder)/words.json")["marks"].integers
    var expected = Set<Int>()
    for index in stride(from: 0, to: bounds.count, by: 2) { expected.formUnion(bounds[index]...bounds[index + 1]) }
    let found = (0x80..<0x110000).filter { code in
      Unicode.Scalar(UInt32(code)).map { WordScanner.kind($0) == .mark } ?? false
    }
    #expect(Set(found) == expected && found.count > 2000)
  }

  @Test("Without tokenizer.json the rule is that of pretokenize_regex, or of the model's type")
  func rules() throws {
    let qwen2 = Fixtures.path("qwen2.5-vl")
    func rule(_ settings: String?, _ config: String?) throws -> WordScanner.Rule {
      let folder = try TemporaryFolder()
      for name in ["vocab.json", "merges.txt"] { try folder.write(name, try bytes(of: "\(qwen2)/\(name)")) }
      var text = String(decoding: try bytes(of: "\(qwen2)/tokenizer_config.json"), as: UTF8.self)
      if let settings {
        let brace = try #require(text.firstIndex(of: "{"))
        text.insert(contentsOf: "\"pretokenize_regex\": \(settings),", at: text.index(after: brace))
      }
      try folder.write("tokenizer_config.json", Array(text.utf8))
      if let config { try folder.write("config.json", Array(config.utf8)) }
      return try Tokenizer(folder: folder.path).words
    }
    func quoted(_ rule: WordScanner.Rule) -> String { JSON.string(rule.pattern ?? "").canonical }
    #expect(try rule(nil, nil) == .qwen2 && rule(nil, #"{"model_type": "qwen3_vl"}"#) == .qwen2)
    #expect(try rule(nil, #"{"model_type": "qwen3_5"}"#) == .qwen3_5)
    #expect(try rule(quoted(.qwen3_5), nil) == .qwen3_5)
    #expect(try rule(quoted(.qwen2), #"{"model_type": "qwen3_5"}"#) == .qwen2)
    expectError("pretokenize_regex", "Qwen2 or Qwen3.5") { _ = try rule(#""\\p{L}+""#, nil) }
  }
}
