// Forms that tokenizer files have had between transformers 4.49 and 5.24 (scripts/make-tokenizer-variants.py).
import Digests
import Files
import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct TokenizerVariantsTests {
  static let file = Result { try Fixtures.json("tokenizer-variants.json") }

  @Test("Every form gives the ids of transformers 5.23 for 200 texts, or is refused with the reason")
  func variants() throws {
    let file = try Self.file.get()
    let texts = file["texts"].items.map(\.text)
    let variants = file["variants"].items
    #expect(texts.count == 200 && variants.count > 80)
    for variant in variants {
      let name = variant["name"].text
      let folder = try Self.folder(variant)
      guard case .string(let word) = variant["refused"] else {
        do {
          let tokenizer = try Tokenizer(folder: folder.path)
          let ids = texts.map { tokenizer.encode($0).map(String.init).joined(separator: " ") }
          var digest = SHA256()
          digest.update(ids.joined(separator: "\n"))
          #expect(digest.finish() == variant["ids"].text, "\(name)")
          // Of a class that is not rebuilt the whole tokenizer.json counts.
          let drops = (name.hasSuffix("unlisted") && !name.contains("PreTrained")) || name == "decoder-less"
          #expect(tokenizer.notices.count == (drops ? 1 : 0), "\(name)")
        } catch { Issue.record("\(name): \(error)") }
        continue
      }
      let line = line { _ = try Tokenizer(folder: folder.path) }
      #expect(line.contains(word) && line.hasPrefix(folder.path) && !line.contains("\n"), "\(name): \(line)")
    }
  }

  @Test("An added token with the text of a piece: encoded and named as the token, decoded as its text")
  func likeAPiece() throws {
    let variants = try Self.file.get()["variants"].items
    let variant = try #require(variants.first { $0["name"].text == "piece-with-space" })
    let folder = try Self.folder(variant)
    let tokenizer = try Tokenizer(folder: folder.path)
    let added = try #require(tokenizer.id(of: " t"))
    #expect(tokenizer.encode(" t") == [added] && tokenizer.text(of: added) == " t")
    #expect(added == Int32(tokenizer.vocabularySize - 1) && tokenizer.decode(tokenizer.encode("a t")) == "a t")
  }

  /// The base's files with a variant's changes.
  static func folder(_ variant: JSON) throws -> TemporaryFolder {
    let base = try file.get()["base"]
    let (tokenizer, folder) = (base["tokenizer"], try TemporaryFolder())
    func write(_ name: String, _ json: JSON) throws { try folder.write(name, Array(text(json).utf8)) }
    try write("tokenizer_config.json", changed(base["config"], variant["config"], dropsNull: true))
    if variant["name"].text.hasPrefix("three") {
      try write("vocab.json", tokenizer["model"]["vocab"])
      try folder.write("merges.txt", Array(base["merges"].text.utf8))
    } else {
      let model = changed(tokenizer["model"], variant["model"])
      let whole = changed(tokenizer, .object([.init(key: "model", value: model)]))
      try write("tokenizer.json", changed(whole, variant["tokenizer"]))
    }
    if case .object(let files) = variant["files"] { for file in files { try write(file.key, file.value) } }
    return folder
  }

  private static func changed(_ json: JSON, _ changes: JSON, dropsNull: Bool = false) -> JSON {
    guard case .object(let members) = json, case .object(let changes) = changes else { return json }
    let kept = members.filter { member in !changes.contains { $0.key == member.key } }
    return .object(kept + changes.filter { !dropsNull || $0.value != .null })
  }

  private static func text(_ json: JSON) -> String {
    switch json {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): JinjaText.quoted(value)
    case .array(let items): "[\(items.map(text).joined(separator: ","))]"
    case .object(let members):
      "{\(members.map { "\(JinjaText.quoted($0.key)):\(text($0.value))" }.joined(separator: ","))}"
    }
  }
}
