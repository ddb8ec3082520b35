// Reading tokenizer files: a small tokenizer.json, the same in three files, and what is refused.
import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct TokenizerFilesTests {
  /// The 256 bytes as GPT-2's alphabet spells them, with a few merges on top.
  static let alphabet: [String] = {
    var next = 0x100
    return (0...255).map { byte in
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
      if !isPrintable { next += 1 }
      return String(Character(Unicode.Scalar(UInt32(isPrintable ? byte : next - 1)) ?? "?"))
    }
  }()

  static func quoted(_ text: String) -> String { JinjaText.quoted(text) }

  static func vocab(_ more: [String] = ["ab", "abc", "Ġa"]) -> String {
    "{" + (alphabet + more).enumerated().map { quoted($1) + ":\($0)" }.joined(separator: ",") + "}"
  }

  static let merges = #"["a b", ["ab", "c"], "Ġ a"]"#
  static let added = #"""
    [{"id": 259, "content": "<|x|>", "special": true, "normalized": false, "lstrip": false, "rstrip": false,
      "single_word": false}, {"id": 260, "content": "<|x|>y", "special": true, "normalized": false},
     {"id": 261, "content": "e\u0301", "special": false, "normalized": true}]
    """#

  static func document(vocab: String = vocab(), merges: String = merges, added: String = added) -> String {
    #"""
    {"version": "1.0", "added_tokens": \#(added), "normalizer": {"type": "NFC"}, "post_processor": null,
     "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split",
       "pattern": {"Regex": \#(quoted(WordScanner.Rule.qwen2.pattern ?? ""))}, "behavior": "Isolated", "invert": false},
       {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
     "decoder": {"type": "ByteLevel", "add_prefix_space": true},
     "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
       "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
       "vocab": \#(vocab), "merges": \#(merges)}}
    """#
  }

  func load(_ document: String) throws -> Tokenizer {
    let folder = try TemporaryFolder(["tokenizer.json": document])
    return try Tokenizer(folder: folder.path)
  }

  @Test("tokenizer.json: merges in both spellings, the longest added token, tokens of normalised text")
  func document() throws {
    let tokenizer = try load(Self.document())
    #expect(tokenizer.vocabularySize == 262)
    #expect(tokenizer.encode("abc a<|x|>y<|x|>é e\u{301}") == [257, 258, 260, 259, 261, 220 - 188, 261])
    #expect(tokenizer.decode([257, 260, 261]) == "abc<|x|>ye\u{301}")
  }

  @Test("vocab.json, merges.txt and tokenizer_config.json give the same tokenizer")
  func threeFiles() throws {
    let folder = try TemporaryFolder([
      "vocab.json": Self.vocab(), "merges.txt": "#version: 0.2\na b\r\nab c\nĠ a\n",
      "tokenizer_config.json": #"""
      {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": {"259": {"content": "<|x|>", "special": true}}}
      """#,
    ])
    let tokenizer = try Tokenizer(folder: folder.path)
    #expect(tokenizer.encode("abc a<|x|>ab") == [257, 258, 259, 256])
    try folder.write("merges.txt", Array("a b\na  b\n".utf8))
    expectError("merges.txt", "line 2") { _ = try Tokenizer(folder: folder.path) }
    try folder.write("merges.txt", Array("a b\nb c\n".utf8))
    expectError("merges.txt", "line 2") { _ = try Tokenizer(folder: folder.path) }
    try folder.write("merges.txt", Array("a b\nab c\n".utf8))
    try folder.write("tokenizer_config.json", Array(#"{"tokenizer_class": "LlamaTokenizer"}"#.utf8))
    expectError("LlamaTokenizer") { _ = try Tokenizer(folder: folder.path) }
    try folder.write("tokenizer_config.json", Array(#"{"added_tokens_decoder": {"-1": {}}}"#.utf8))
    expectError("added_tokens_decoder.-1") { _ = try Tokenizer(folder: folder.path) }
  }

  @Test("A tokenizer_config.json that disagrees with tokenizer.json is refused")
  func disagreement() throws {
    let folder = try TemporaryFolder([
      "tokenizer.json": Self.document(),
      "tokenizer_config.json": #"{"added_tokens_decoder": {"300": {"content": "<|x|>", "special": true}}}"#,
    ])
    expectError("tokenizer_config.json", "<|x|>") { _ = try Tokenizer(folder: folder.path) }
  }

  @Test(
    "A component that is not the Qwen2 tokenizer's is refused by name",
    arguments: [
      (#""type": "NFC""#, #""type": "NFKC""#, "NFKC"),
      (#""normalizer": {"type": "NFC"}"#, #""normalizer": null"#, "no normalizer"),
      (#"\\p{N}|"#, #"\\p{N}{1,3}|"#, "Regex"),
      (#""Isolated""#, #""Removed""#, "Removed"), (#""invert": false"#, #""invert": true"#, "invert"),
      (#""add_prefix_space": false"#, #""add_prefix_space": true"#, "add_prefix_space"),
      (#""post_processor": null"#, #""post_processor": {"type": "BertProcessing"}"#, "BertProcessing"),
      (#""decoder": {"type": "ByteLevel""#, #""decoder": {"type": "Metaspace""#, "Metaspace"),
      (#""type": "BPE""#, #""type": "Unigram""#, "Unigram"),
      (#""dropout": null"#, #""dropout": 0.1"#, "dropout"), (#""unk_token": null"#, #""unk_token": "u""#, "unk_token"),
      (#""byte_fallback": false"#, #""byte_fallback": true"#, "byte_fallback"),
      (#""ignore_merges": false"#, #""ignore_merges": true"#, "ignore_merges"),
      (#""end_of_word_suffix": """#, #""end_of_word_suffix": "</w>""#, "end_of_word_suffix"),
      (#""lstrip": false"#, #""lstrip": true"#, "lstrip"), (#""rstrip": false"#, #""rstrip": true"#, "rstrip"),
      (#""single_word": false"#, #""single_word": true"#, "single_word"),
    ])
  func refused(_ change: (String, String, String)) throws {
    let changed = Self.document().replacingOccurrences(of: change.0, with: change.1)
    #expect(changed != Self.document())
    expectError("tokenizer.json", change.2) { _ = try load(changed) }
  }

  @Test(
    "A component that is not SmolLM2's is refused by name where digits are the first step",
    arguments: [
      (#""normalizer":null"#, #""normalizer":{"type":"NFC"}"#, "normalizer"),
      (#""individual_digits":true"#, #""individual_digits":false"#, "individual_digits"),
      (#""use_regex":true}]"#, #""use_regex":false}]"#, "use_regex"),
    ])
  func refusedBesideDigits(_ change: (String, String, String)) throws {
    let document = try String(contentsOfFile: Fixtures.path("smollm2/tokenizer.json"), encoding: .utf8)
    let changed = document.replacingOccurrences(of: change.0, with: change.1)
    #expect(changed != document)
    expectError("tokenizer.json", change.2, "SmolLM2") { _ = try load(changed) }
  }

  @Test("Damaged vocabularies, merges and added tokens are errors")
  func damaged() {
    let cases: [(String, String)] = [
      (Self.document(vocab: "[]"), "vocab"), (Self.document(vocab: "{}"), "byte 0"),
      (Self.document(vocab: Self.vocab().replacingOccurrences(of: ":65,", with: ":66,")), "given twice"),
      (Self.document(vocab: Self.vocab().replacingOccurrences(of: ":65,", with: ":-1,")), "expected an id"),
      (Self.document(vocab: Self.vocab().replacingOccurrences(of: ":65,", with: ":99999999999,")), "expected an id"),
      (Self.document(vocab: Self.vocab(["ab", "abc", "Ġa", " b"])), "not a byte-level piece"),
      (Self.document(vocab: Self.vocab(["ab", "abc", "Ġa", "\u{100}\u{305}"])), "not a byte-level piece"),
      (Self.document(merges: "{}"), "merges"), (Self.document(merges: "[1]"), "merges[0]"),
      (Self.document(merges: #"["a"]"#), "merges[0]"), (Self.document(merges: #"[["a","b","c"]]"#), "merges[0]"),
      (Self.document(merges: #"["a b", "x y"]"#), "merges[1]"),
      (Self.document(added: #"[{"id": 1, "content": "new"}]"#), "gives it 259, the next one"),
      (Self.document(added: #"[{"id": 300, "content": "ab"}]"#), "gives it 256, which it has already"),
      (Self.document(added: #"[{"id": 300, "content": ""}]"#), "empty token"),
      (Self.document(added: #"[{"id": 4000000, "content": "z"}]"#), "id"),
      (Self.document(added: #"[{"content": "z"}]"#), "id"), (Self.document(added: "[3]"), "added_tokens[0]"),
      ("{", "expected a key"), ("[]", "expected an object"),
      (String(repeating: "[", count: 100_000), "nested deeper"),
    ]
    for (document, word) in cases { expectError("tokenizer.json", word) { _ = try load(document) } }
  }
}
