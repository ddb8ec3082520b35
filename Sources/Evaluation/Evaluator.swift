// Examples scored in batches by all ranks: loss and token accuracy with the answer given, and the answer generated.
import Collectives
import Datasets
import Foundation
import Preprocessing
import QwenVL
import Tensors
import Batches

/// The result of one example under one model.
package struct ExampleResult: Codable, Sendable, Equatable {
  /// Sum of the negative log-likelihoods of the supervised tokens.
  package var nll: Double
  /// How many there are, and how many of them are the top-1 token.
  package var tokens, top1: Int
  /// Nil where nothing was generated.
  package var answer: Answer?

  /// A generated answer with the right one.
  package struct Answer: Codable, Sendable, Equatable {
    /// The prompt's text, one `<|image_pad|>` an image.
    package var prompt: String
    package var reference: String
    package var prediction: String
    /// Whether the model ended it by itself.
    package var finished: Bool
    package var exactMatch: Bool
    /// Nil where the example asks for no place.
    package var place: PlaceScore?
    /// By the scorer of the example or the run; nil where that is exact match against the last turn alone.
    package var score: AnswerScore?
  }
}

/// What a scorer gives an answer.
package struct AnswerScore: Codable, Sendable, Equatable {
  package var scorer: Scorer
  /// From 0 to 1.
  package var value: Double
  package init(scorer: Scorer, value: Double) { (self.scorer, self.value) = (scorer, value) }
}

/// Equal but for whitespace at the ends; case matters. Canonically equivalent texts are equal, as tokenizers see them.
package func isExactMatch(_ prediction: String, _ reference: String) -> Bool {
  prediction.trimmingCharacters(in: .whitespacesAndNewlines)
    == reference.trimmingCharacters(in: .whitespacesAndNewlines)
}

/// Scores examples for one base and any number of adapters.
package struct Evaluator: Sendable {
  private let base: BaseModel
  private let samples: SampleBuilder
  private let maxNewTokens: Int?
  private let generator: Generator
  private let scorer: Scorer

  /// - Parameters:
  ///   - maxNewTokens: longest answer; nil: nothing is generated.
  ///   - scorer: of examples that state none.
  package init(
    base: BaseModel, samples: SampleBuilder, maxNewTokens: Int?, scorer: Scorer = .exactMatch,
    decoding: Decoding = .greedy
  ) {
    self.scorer = scorer
    self.base = base
    self.samples = samples
    self.maxNewTokens = maxNewTokens
    generator = Generator(base, maxNewTokens: maxNewTokens ?? 0, decoding: decoding)
  }

  /// Results of each example for each of the adapters (nil: the base alone), the same bits for any number of ranks.
  /// - Parameters:
  ///   - tokens: how many tokens an image group of these examples has: batches are formed and assigned by it.
  ///   - isStopAsked: asked on each rank before each batch; where any rank says so, all leave within two seconds or a
  ///     batch.
  ///   - onProgress: called on each rank after each of its batches with how many of its examples are done, of how many.
  /// - Returns: `[adapters][examples]`, nil for examples that were not begun when a rank was asked to stop.
  /// - Throws: the same `RankFailure` on every rank, naming the example.
  /// - Important: Collective.
  package func results(
    _ examples: [Example], tokens: (ImageGroup) -> Int, adapters: [(any ProjectionAdapter<Float>)?],
    communicator: any Communicator, stopping isStopAsked: () -> Bool,
    onProgress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> [[ExampleResult?]] {
    let batches = Batch.all(of: examples, newTokens: newTokens, tokens: tokens)
    let costs = batches.map { Double($0.tokens) }
    communicator.watchdog.enter("the evaluation")
    let found = try mapOverRanks(
      costs: costs, communicator, stopping: isStopAsked, progress: { onProgress($0.count, batches.count) },
      naming: { "evaluating \(names(batches[$0].examples.map { examples[$0] }))" }
    ) { try results(batches[$0], of: examples, adapters: adapters) }
    let byBatch = zip(batches, found).map { batch, results -> [[ExampleResult]?] in
      results ?? Array(repeating: nil, count: batch.examples.count)
    }
    let byExample = inExampleOrder(byBatch, of: batches.map { ImageGroup(examples: $0.examples) })
    return adapters.indices.map { adapter in byExample.map { $0?[adapter] } }
  }

  /// As above, to the last example.
  package func results(
    _ examples: [Example], tokens: (ImageGroup) -> Int, adapters: [(any ProjectionAdapter<Float>)?],
    communicator: any Communicator
  ) throws -> [[ExampleResult]] {
    try results(examples, tokens: tokens, adapters: adapters, communicator: communicator, stopping: { false }).map {
      $0.compactMap(\.self)
    }
  }

  /// Answers to the prompts of examples, wave by wave, so that what is done can be kept; the same bits for any number
  /// of ranks and any waves before.
  /// - Parameters:
  ///   - known: indices of examples whose answers are not needed.
  ///   - keep: takes, on every rank, the answers of a wave and how many examples are done.
  /// - Returns: whether all examples are answered: a rank may have been asked to stop.
  /// - Throws: the same `RankFailure` on every rank, naming the example.
  /// - Important: Collective.
  package func answers(
    _ examples: [Example], tokens: (ImageGroup) -> Int, adapter: (any ProjectionAdapter<Float>)?,
    except known: Set<Int>,
    communicator: any Communicator, stopping isStopAsked: () -> Bool,
    keep: (_ answers: [(example: Int, answer: ExampleResult.Answer)], _ done: Int) throws -> Void
  ) throws -> Bool {
    var rest = Batch.all(of: examples, newTokens: newTokens, tokens: tokens)
      .filter { !$0.examples.allSatisfy(known.contains) }[...]
    var done = known.count
    communicator.watchdog.enter("the predictions")
    while !rest.isEmpty {
      let wave = Array(rest.prefix(8 * communicator.size))
      rest = rest.dropFirst(wave.count)
      let found = try mapOverRanks(
        costs: wave.map { Double($0.tokens) }, communicator, stopping: isStopAsked,
        naming: { "answering \(names(wave[$0].examples.map { examples[$0] }))" }
      ) { try answers(wave[$0], of: examples, adapter: adapter) }
      let new = zip(wave, found).flatMap { batch, answers in
        zip(batch.examples, answers ?? []).filter { !known.contains($0.0) }.map { (example: $0, answer: $1) }
      }
      done += new.count
      try withErrorAgreement(communicator) { try keep(new, done) }
      if found.contains(where: { $0 == nil }) { return false }
    }
    return true
  }

  private func answers(
    _ batch: Batch, of examples: [Example], adapter: (any ProjectionAdapter<Float>)?
  ) throws -> [ExampleResult.Answer] {
    let asked = try Asked(batch, of: examples, samples, withSamples: false, withPrompts: true)
    let generations = try generator.run(asked.groups(base, adapter), adapter: adapter).generations
    return batch.examples.indices.map {
      answer(generations[$0], to: examples[batch.examples[$0]], prompt: asked.prompts[$0])
    }
  }

  /// Results of a batch's examples for each of the adapters: `[examples][adapters]`.
  private func results(
    _ batch: Batch, of examples: [Example], adapters: [(any ProjectionAdapter<Float>)?]
  ) throws -> [[ExampleResult]] {
    let asked = try Asked(batch, of: examples, samples, withSamples: true, withPrompts: maxNewTokens != nil)
    // Features of the frozen tower are those of the base and of every adapter that leaves it alone.
    let frozen = try adapters.contains { $0?.tower == nil } ? asked.groups(base, nil) : []
    let byAdapter = try adapters.map { adapter in
      let groups = adapter?.tower == nil ? frozen : try asked.groups(base, adapter)
      let (losses, generations) = try generator.run(groups, adapter: adapter)
      return losses.indices.map { index in
        ExampleResult(
          nll: losses[index].nll, tokens: losses[index].tokens, top1: losses[index].top1,
          answer: maxNewTokens.map { _ in
            answer(generations[index], to: examples[batch.examples[index]], prompt: asked.prompts[index])
          })
      }
    }
    return batch.examples.indices.map { index in byAdapter.map { $0[index] } }
  }

  /// What is asked of a batch's examples.
  private struct Asked {
    /// Examples, samples and prompts of each image group; no samples or prompts where none are asked for.
    private let parts: [(rows: [Example], samples: [Sample], prompts: [Prompt])]
    var prompts: [Prompt] { parts.flatMap(\.prompts) }

    init(
      _ batch: Batch, of examples: [Example], _ builder: SampleBuilder, withSamples: Bool, withPrompts: Bool
    ) throws {
      parts = try batch.groups.map { group in
        let rows = group.examples.map { examples[$0] }
        return (rows, try withSamples ? rows.map(builder.sample) : [], try withPrompts ? rows.map(builder.prompt) : [])
      }
    }

    /// With the images' features under an adapter.
    func groups(_ base: BaseModel, _ adapter: (any ProjectionAdapter<Float>)?) throws -> [EvaluationGroup] {
      try parts.map { rows, samples, prompts in
        let prompts = prompts.map(\.sample)
        let features = try base.features(of: rows, samples: samples.isEmpty ? prompts : samples, adapter: adapter)
        return EvaluationGroup(samples: samples, prompts: prompts, features: features)
      }
    }
  }

  /// Tokens that an answer may have.
  private var newTokens: Int { min(maxNewTokens ?? 0, base.configuration.text.maxPositionEmbeddings) }

  private func answer(_ generation: Generation, to example: Example, prompt: Prompt) -> ExampleResult.Answer {
    let prediction = generation.text(base.tokenizer)
    var reference = prompt.reference ?? ""
    if prompt.callsTools {
      // As far as a model would write it: without the end of the turn.
      let written = base.tokenizer.encode(reference)
      reference = base.tokenizer.decode(Array(written.prefix { !base.configuration.endTokenIDs.contains($0) }))
    }
    let answer = prompt.thoughts.answer(in: prediction)
    let scorer = example.scorer ?? self.scorer
    let isPlain = scorer == .exactMatch && example.answers.isEmpty
    let right = example.answers.isEmpty ? [reference] : example.answers
    return ExampleResult.Answer(
      prompt: base.text(of: prompt.sample), reference: reference, prediction: prediction,
      finished: generation.isFinished, exactMatch: isExactMatch(answer, reference),
      place: PlaceTarget(row: example, prompt: prompt)?.score(prediction),
      score: isPlain ? nil : AnswerScore(scorer: scorer, value: scorer.score(answer, against: right)))
  }
}

extension BaseModel {
  /// A sample's text, an image's tokens written once.
  package func text(of sample: Sample) -> String {
    var repeated = Set<Int>()
    for span in sample.visualSpans { repeated.formUnion(span.dropFirst()) }
    return tokenizer.decode(sample.inputIDs.indices.filter { !repeated.contains($0) }.map { sample.inputIDs[$0] })
  }
}
