// Generation with a KV cache equals that from the whole sequence without one, and it ends where it must.
import HuggingFace
@testable import Preprocessing
import Adapters
import QwenVL
import Tensors
import Testing
import TinyModels
import Batches

@testable import Evaluation

@Suite("Greedy decoding")
struct GeneratorTests {
  /// The most likely next token from the whole sequence at once.
  private func next(
    _ base: BaseModel, _ sample: Sample, _ features: [Matrix<Float>], _ tokens: [Int32],
    _ adapter: (any ProjectionAdapter<Float>)?
  ) -> Int32 {
    let ids = sample.inputIDs + tokens
    let visual = zip(sample.visualSpans, features).map { VisualSpan(tokens: $0, features: $1) }
    let input = DecoderInput(
      embeddings: base.model.embed(ids, visual: visual),
      positions: sample.positionIDs.map { $0 + tokens.indices.map { sample.nextPosition + Int32($0) } },
      visual: visual)
    let hidden = base.model.decoder.forward(input, outputPositions: [ids.count - 1], adapter: adapter)
    return base.model.head.argmax(hidden)[0]
  }

  @Test(
    "equals running the whole sequence again for every token, with and without an adapter", arguments: [0, 3],
    ModelConfiguration.Family.allCases)
  func equalsWithoutCache(row: Int, family: ModelConfiguration.Family) throws {
    let model = try TinyModel(family, endTokens: [271])
    let base = try model.base()
    let samples = try base.sampleBuilder(maxLength: 512)
    let rows = try TinyExamples.examples()
    let prompt = try samples.prompt(for: rows[row]).sample
    let features = try base.featureStore.features(of: rows[row], sample: prompt)
    var answers: [[Int32]] = []
    for adapter in [nil, TinyModel.adapter(for: base), TinyModel.lora(for: base)] as [(any ProjectionAdapter<Float>)?] {
      let unit = EvaluationGroup(prompts: [prompt], features: features)
      let generation = try Generator(base, maxNewTokens: 12).run([unit], adapter: adapter).generations[0]
      var expected: [Int32] = []
      for _ in 0..<12 {
        let token = next(base, prompt, features, expected, adapter)
        if token == 271 { break }
        expected.append(token)
      }
      #expect(generation.tokens == expected)
      #expect(expected.count > 4)
      answers.append(expected)
    }
    // The adapter must matter where there is an image, and must not where there is none.
    #expect((answers[0] == answers[1]) == rows[row].images.isEmpty)
  }

  @Test("stops before the end token and reports which it was; tokens are passed on as they come")
  func stopsAtEndToken() throws {
    let row = try TinyExamples.examples()[0]
    func generate(_ endTokens: [Int32]) throws -> (Generation, passed: [Int32]) {
      let model = try TinyModel(endTokens: endTokens)
      let base = try model.base()
      let samples = try base.sampleBuilder(maxLength: 512)
      let prompt = try samples.prompt(for: row).sample
      let features = try base.featureStore.features(of: row, sample: prompt)
      var passed: [Int32] = []
      let generation = try Generator(base, maxNewTokens: 8)
        .run([EvaluationGroup(prompts: [prompt], features: features)], adapter: nil) { passed.append($1) }.generations[
          0]
      return (generation, passed)
    }
    let (free, passed) = try generate([271])
    #expect(free.tokens.count == 8 && free.endToken == nil && passed == free.tokens)
    let last = try #require(free.tokens.last)
    let (ended, _) = try generate([271, last])
    #expect(ended.endToken == last)
    #expect(ended.tokens == Array(free.tokens.prefix { $0 != last }))
  }

  @Test("a prompt that leaves no positions for an answer, or has no tokens, is an error and never a trap")
  func refusesHostilePrompts() throws {
    let model = try TinyModel(maxPositions: 100)
    let base = try model.base()
    func sample(_ count: Int) -> Sample {
      let positions = (0..<count).map { Int32($0) }
      return Sample(
        id: "r", inputIDs: Array(repeating: 65, count: count), labels: Array(repeating: -100, count: count),
        visualSpans: [], positionIDs: [positions, positions, positions], grids: [], frames: [],
        nextPosition: Int32(count))
    }
    func generate(_ count: Int, _ new: Int) throws -> Generation {
      let unit = EvaluationGroup(prompts: [sample(count), sample(3)], features: [])
      return try Generator(base, maxNewTokens: new).run([unit], adapter: nil).generations[0]
    }
    #expect(try generate(96, 4).tokens.count <= 4)
    for (count, new) in [(97, 4), (101, 1), (1, .max), (200, .max)] {
      #expect(throws: EvaluationError.tooLong(example: "r", promptTokens: count, newTokens: new, limit: 100)) {
        try generate(count, new)
      }
    }
    #expect(throws: EvaluationError.emptyPrompt(example: "r")) { try generate(0, 1) }
  }
}
