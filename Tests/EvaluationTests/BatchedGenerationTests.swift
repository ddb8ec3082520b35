// Examples that are run together give what each gives alone.
import Adapters
import Datasets
import Foundation
import HuggingFace
@testable import Preprocessing
import QwenVL
import Tensors
import Testing
import TinyModels
import Batches

@testable import Evaluation

@Suite("Answers generated together")
struct BatchedGenerationTests {
  /// Three questions about one image, three about two images, also after an answer or with one in it, two of which one
  /// is asked before its second image, two of text, and two without a common token.
  private struct Questions {
    let base: BaseModel
    let units: [EvaluationGroup]

    init(_ model: TinyModel) throws {
      base = try model.base()
      let samples = try base.sampleBuilder(maxLength: 512)
      func example(_ id: String, images count: Int, _ turns: [String]) throws -> Example {
        let images = Array(repeating: "\"\(TinyExamples.image)\"", count: count).joined(separator: ",")
        let messages = turns.enumerated().map { turn, text in
          #"{"role": "\#(turn % 2 == 0 ? "user" : "assistant")", "content": "\#(text)"}"#
        }
        let line =
          #"{"id": "\#(id)", "images": [\#(images)], "messages": [\#(messages.joined(separator: ","))]}"#
        return try ExampleReader().read(Data(line.utf8), name: id).examples[0]
      }
      var units: [EvaluationGroup] = []
      for (images, questions) in [
        (1, [["<image>Where?"], ["<image>Which colour has the disc on the right?"], ["<image>Where?"]]),
        (
          2, [["<image><image>Compare."], ["<image>And?", "Yes", "<image>Same?"], ["<image>Draw.", "<image>", "So?"]]
        ),
        (2, [["<image>One.", "<image> is it."], ["<image><image>Are they the same?"]]),
        (0, [["2+2"], ["What is the capital of France?"]]),
      ] {
        // A conversation that ends with a question gets an answer after it.
        let examples = try questions.enumerated().map { index, turns in
          try example("\(images).\(index)", images: images, turns.count % 2 == 0 ? turns : turns + ["(1, 2)"])
        }
        let given = try examples.map(samples.sample)
        units.append(
          EvaluationGroup(
            samples: given, prompts: try examples.map { try samples.prompt(for: $0).sample },
            features: try base.featureStore.features(of: examples[0], sample: given[0])))
      }
      let bare = [[65, 66, 67], [70, 66, 67, 68]].map { (ids: [Int32]) in
        let positions = ids.indices.map { Int32($0) }
        return Sample(
          id: "bare", inputIDs: ids, labels: ids.map { _ in Sample.ignoredLabel }, visualSpans: [],
          positionIDs: [positions, positions, positions], grids: [], frames: [], nextPosition: Int32(ids.count))
      }
      self.units = units + [EvaluationGroup(prompts: bare, features: [])]
    }
  }

  @Test(
    "are those of each prompt alone, with and without an adapter, also where some end early",
    arguments: ModelConfiguration.Family.allCases)
  func equalsOneByOne(family: ModelConfiguration.Family) throws {
    let free = try Questions(TinyModel(family, endTokens: [271]))
    let generator = Generator(free.base, maxNewTokens: 12)
    // Tokens that some answers have and others lack, so that the batch shrinks on the way.
    let answers = try generator.run(free.units, adapter: nil).generations.map(\.tokens)
    #expect(Set(answers).count > 5 && answers.allSatisfy { $0.count > 4 })
    let ending = try Questions(TinyModel(family, endTokens: [271] + Self.endTokens(answers)))
    for questions in [free, ending] {
      let generator = Generator(questions.base, maxNewTokens: 12)
      for adapter in [nil, TinyModel.adapter(for: questions.base)] {
        var passed = questions.units.flatMap(\.prompts).map { _ in [Int32]() }
        let together = try generator.run(questions.units, adapter: adapter) { passed[$0].append($1) }.generations
        let alone = try questions.units.flatMap { unit in
          try unit.prompts.flatMap { prompt in
            let single = EvaluationGroup(
              prompts: [prompt], features: Array(unit.features.prefix(prompt.visualSpans.count)))
            return try generator.run([single], adapter: adapter).generations
          }
        }
        #expect(together == alone && passed == together.map(\.tokens))
        #expect(together[0] == together[2], "equal questions have equal answers")
        let byUnit = try questions.units.flatMap { try generator.run([$0], adapter: adapter).generations }
        #expect(byUnit == together)
      }
    }
    let lengths = try Generator(ending.base, maxNewTokens: 12).run(ending.units, adapter: nil).generations
      .map(\.tokens.count)
    #expect(Set(lengths).count > 4, "\(lengths)")
  }

  /// Three tokens that end the answers after as many different lengths as three can, one chosen after the other.
  private static func endTokens(_ answers: [[Int32]]) -> [Int32] {
    func lengths(_ tokens: [Int32]) -> Int {
      Set(answers.map { answer in answer.firstIndex(where: tokens.contains) ?? answer.count }).count
    }
    let candidates = Set(answers.joined()).sorted()
    return (0..<3).reduce(into: []) { chosen, _ in
      chosen.append(candidates.max { lengths(chosen + [$0]) < lengths(chosen + [$1]) } ?? 271)
    }
  }

  @Test(
    "losses next to prompts, in a batch of units, are those of examples alone to rounding",
    arguments: ModelConfiguration.Family.allCases)
  func losses(family: ModelConfiguration.Family) throws {
    let questions = try Questions(TinyModel(family))
    let adapter = TinyModel.adapter(for: questions.base)
    let together = try Generator(questions.base, maxNewTokens: 5).run(questions.units, adapter: adapter).losses
    let alone = questions.units.flatMap { unit in
      unit.samples.map {
        questions.base.loss(PackedBatch([$0], features: unit.features), adapter: adapter)[0]
      }
    }
    #expect(together.count == 10 && together.map(\.tokens) == alone.map(\.tokens))
    #expect(together.map(\.top1) == alone.map(\.top1))
    for (a, b) in zip(together, alone) { #expect(abs(a.nll - b.nll) < 1e-5 * b.nll) }
  }

  @Test(
    "start from the hidden states of each prompt alone, to fp32 rounding", arguments: ModelConfiguration.Family.allCases
  )
  func hiddenStates(family: ModelConfiguration.Family) throws {
    let questions = try Questions(TinyModel(family))
    let base = questions.base
    for adapter in [nil, TinyModel.adapter(for: base)] {
      for unit in questions.units {
        let packed = PackedBatch(unit.prompts, features: unit.features)
        let slots = packed.slots(from: 3, reserving: 2)
        let end = (slots.last?.own.upperBound ?? 0) + 2
        let cache = KeyValueCache<Float>(capacity: end, configuration: base.configuration.text)
        let together = base.hidden(packed, at: packed.lastPositions, adapter: adapter, slots: slots, cache: cache)
        for (row, prompt) in unit.prompts.enumerated() {
          let visual = zip(prompt.visualSpans, unit.features).map { VisualSpan(tokens: $0, features: $1) }
          let input = DecoderInput(
            embeddings: base.model.embed(prompt.inputIDs, visual: visual), positions: prompt.positionIDs,
            visual: visual)
          let alone = base.model.decoder.forward(
            input, outputPositions: [prompt.inputIDs.count - 1], adapter: adapter
          ).values
          let largest = alone.map(abs).max() ?? 0
          for (a, b) in zip(together.rows(row..<row + 1).values, alone) { #expect(abs(a - b) < 1e-5 * largest) }
        }
      }
    }
  }
}
