// Model folders whose config.json and weights say different things of the head, and what inspect says of them.
import Batches
import HuggingFace
import TestSupport
import Testing
import TinyModels

@testable import Inspection

@Suite("Heads, tied and not")
struct ModelFolderTests {
  @Test(
    "A head of its own is used whatever config.json says, with one line", arguments: ModelConfiguration.Family.allCases)
  func ownHead(family: ModelConfiguration.Family) throws {
    let model = try TinyModel(family)
    let untied = try model.base()
    try model.setTied(true)
    let tied = try model.base()
    #expect(untied.notices.isEmpty && tied.notices.count == 1 && !tied.configuration.text.tieWordEmbeddings)
    #expect(tied.notices[0].contains("lm_head.weight differs") && tied.digest == untied.digest)
    let described = try ModelDescription(tied)
    #expect(described.lines.last?.hasPrefix("notice           \(model.folder): ") == true)
    #expect(described.notices == tied.notices && described.decoder.tieWordEmbeddings == false)
    let hidden = tied.model.embed([1, 2, 3])
    #expect(tied.model.head.argmax(hidden) == untied.model.head.argmax(hidden))
  }

  @Test("A head with the embedding's bytes is the embedding, and so is one of the two that stands alone")
  func sameHead() throws {
    let model = try TinyModel()
    try model.setTied(true)
    let name = "model.embed_tokens.weight"
    try model.changeWeights { tensors in
      tensors.removeAll { $0.name == "lm_head.weight" }
      tensors += tensors.filter { $0.name == name }.map { $0.renamed("lm_head.weight") }
    }
    let both = try model.base()
    #expect(both.notices.isEmpty && both.configuration.text.tieWordEmbeddings)
    let hidden = both.model.embed([1, 2, 3])
    let expected = both.model.head.argmax(hidden)
    for left in ["lm_head.weight", name] {
      try model.changeWeights { tensors in
        let matrix = tensors.filter { ["lm_head.weight", name].contains($0.name) }.prefix(1).map { $0.renamed(left) }
        tensors = tensors.filter { !["lm_head.weight", name].contains($0.name) } + matrix
      }
      let one = try model.base()
      #expect(one.notices.isEmpty && one.configuration.text.tieWordEmbeddings)
      let embedded = one.model.embed([1, 2, 3])
      withExtendedLifetime((embedded, hidden)) { #expect(embedded.row(2)[15] == hidden.row(2)[15]) }
      #expect(one.model.head.argmax(embedded) == expected)
    }
  }

  @Test("No head where config.json unties it: one line with both choices")
  func noHead() throws {
    let model = try TinyModel()
    try model.changeWeights { $0.removeAll { $0.name == "lm_head.weight" } }
    let line = line { _ = try model.base() }
    #expect(line.hasPrefix("\(model.folder): no tensor lm_head.weight"), "\(line)")
    #expect(line.contains("set tie_word_embeddings to true") && line.contains("or add lm_head.weight"))
    try model.setTied(true)
    #expect(try model.base().configuration.text.tieWordEmbeddings)
  }
}
