// Sampling against the probabilities that it must have, stop texts, and answers that are the same however they are run.
import Batches
import Foundation
import Preprocessing
import RandomNumbers
import TestSupport
import Testing
import TinyModels

@testable import Evaluation

@Suite("Sampling and stop texts")
struct DecodingTests {
  private static let logits: [Float] = [1, 3, 2, -40, 3, 0.5]

  /// How often each token is drawn of `count`.
  private func shares(_ decoding: Decoding, count: Int = 40_000) -> [Double] {
    var (found, source) = ([Double](repeating: 0, count: Self.logits.count), decoding.source(of: "row"))
    Self.logits.withUnsafeBufferPointer { logits in
      for _ in 0..<count { found[Int(decoding.draw(logits, &source))] += 1 / Double(count) }
    }
    return found
  }

  @Test("tokens are drawn as often as the softmax says", arguments: [0.5, 1, 3])
  func softmax(temperature: Double) {
    let weights = Self.logits.map { exp(Double($0) / temperature) }
    let total = weights.reduce(0, +)
    // Six standard deviations.
    for (share, weight) in zip(shares(Decoding(temperature: temperature)), weights) {
      let p = weight / total
      #expect(abs(share - p) <= 6 * (p * (1 - p) / 40_000).squareRoot() + 1e-9)
    }
  }

  @Test("top-p leaves the fewest tokens that have that much, of equal ones the lower id")
  func topP() {
    // 0.387 each for tokens 1 and 4.
    #expect(shares(Decoding(temperature: 1, topP: 0.3)).map { $0 > 0 } == [false, true, false, false, false, false])
    let two = shares(Decoding(temperature: 1, topP: 0.7))
    #expect(two.map { $0 > 0 } == [false, true, false, false, true, false] && abs(two[1] - 0.5) < 0.02)
    #expect(shares(Decoding(temperature: 1, topP: 0.99))[3] == 0)
    // Far below 1 the temperature leaves what greedy decoding takes, were there no two of them.
    #expect(abs(shares(Decoding(temperature: 1e-3, topP: 0.5))[1] - 1) < 1e-6)
  }

  @Test("each example has a stream of its own, which the seed changes")
  func streams() {
    func first(_ seed: UInt64, _ id: String) -> UInt64 {
      var source = Decoding(temperature: 1, seed: seed).source(of: id)
      return source.next()
    }
    #expect(first(1, "a") == first(1, "a"))
    #expect(Set([first(1, "a"), first(1, "b"), first(2, "a"), first(2, "e\u{301}"), first(2, "\u{e9}")]).count == 5)
  }

  @Test("a stop text is found where its last byte comes in, however tokens cut it")
  func stops() {
    let decoding = Decoding(stops: ["END", "\n\n"])
    for text in ["aENDb", "xx\n\nEND", "EEND", "ENEND", "END"] {
      let bytes = Array(text.utf8)
      let expected = ["END", "\n\n"].compactMap { stop in
        text.range(of: stop).map { text.utf8.distance(from: text.startIndex, to: $0.lowerBound) }
      }.min()
      for size in 1...4 {
        var (seen, found): ([UInt8], Int?) = ([], nil)
        for start in stride(from: 0, to: bytes.count, by: size) where found == nil {
          let added = bytes[start..<min(start + size, bytes.count)]
          seen += added
          found = decoding.end(of: seen, added: added.count)
        }
        #expect(found == expected, "\(text) in tokens of \(size)")
      }
    }
    #expect(Decoding.greedy.end(of: Array("END".utf8), added: 3) == nil)
    #expect(decoding.end(of: Array("EN".utf8), added: 2) == nil)
  }

  @Test("an answer ends before its stop text; sampled answers depend on seed and id alone")
  func answers() throws {
    let model = try TinyModel(endTokens: [271])
    let base = try model.base()
    let samples = try base.sampleBuilder(maxLength: 512)
    let rows = try TinyExamples.examples()
    let prompt = try samples.prompt(for: rows[0]).sample
    let features = try base.featureStore.features(of: rows[0], sample: prompt)
    func answer(_ decoding: Decoding, id: String? = nil, beside: Int = 0) throws -> Generation {
      var own = prompt
      own.id = id ?? own.id
      let unit = EvaluationGroup(prompts: Array(repeating: prompt, count: beside) + [own], features: features)
      return try Generator(base, maxNewTokens: 10, decoding: decoding).run([unit], adapter: nil).generations[beside]
    }
    let greedy = try answer(.greedy)
    // The first token but one that is whole characters: where its bytes stand first, the answer ends.
    let pieces = greedy.tokens.map { base.tokenizer.bytes(of: $0) }
    let stop = try #require(pieces.dropFirst().lazy.compactMap { String(validating: $0, as: UTF8.self) }.first)
    let stopped = try answer(Decoding(stops: [stop]))
    let bytes = Array(pieces.joined())
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: stop.utf8) })
    #expect(stopped.text(base.tokenizer) == String(decoding: bytes[..<place], as: UTF8.self) && stopped.isFinished)
    #expect(!greedy.isFinished && stopped.tokens.count < greedy.tokens.count)

    let sampled = try answer(Decoding(temperature: 2, seed: 3))
    #expect(try sampled == answer(Decoding(temperature: 2, seed: 3), beside: 2), "what runs beside changes nothing")
    #expect(try sampled != answer(Decoding(temperature: 2, seed: 4)))
    #expect(try sampled != answer(Decoding(temperature: 2, seed: 3), id: "another"))
    #expect(try answer(Decoding(temperature: 1e-4, topP: 0.1, seed: 9)).tokens == greedy.tokens)
  }

  @Test("answers are kept through kills, in the rows' order, and only for what they answer")
  func kept() throws {
    let folder = try TemporaryFolder()
    let output = folder.path("a.jsonl")
    let rows = try TinyExamples.examples()
    func reply(_ index: Int) -> Reply {
      Reply(
        rows[index],
        ExampleResult.Answer(
          prompt: "p", reference: index == 0 ? "" : "r", prediction: "\u{1F600} \(index)\n", finished: true,
          exactMatch: false))
    }
    var kept = try KeptReplies(beside: output, identity: "1")
    #expect(kept.replies.isEmpty)
    try kept.keep([reply(1)])
    try kept.keep([])
    try kept.keep([reply(2), reply(0)])
    // A kill in the middle of the last line.
    let whole = try bytes(of: kept.path)
    try folder.write("a.jsonl.incomplete", Array(whole.dropLast(5)))
    var again = try KeptReplies(beside: output, identity: "1")
    #expect(Set(again.replies.values.map(\.id)) == [rows[1].id, rows[2].id])
    try again.keep([reply(0)])
    #expect(try KeptReplies(beside: output, identity: "1").replies.count == 3)
    #expect(line { _ = try KeptReplies(beside: output, identity: "2") }.contains("keeps answers of other rows"))
    try again.finish(rows, to: output)
    let lines = try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n")
    let read = try lines.map { try JSONDecoder().decode(Reply.self, from: Data($0.utf8)) }
    #expect(read == [reply(0), reply(1), reply(2)] && read[0].reference == nil && read[1].reference == "r")
    #expect(!FileManager.default.fileExists(atPath: kept.path))
  }
}
