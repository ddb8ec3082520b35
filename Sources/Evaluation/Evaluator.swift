// Rows scored in units by all ranks: loss and token accuracy with the answer given, and the answer generated.
import Collectives
import Datasets
import Foundation
import Preprocessing
import QwenVL
import Tensors
import Batches

/// What one model made of one row.
package struct ExampleResult: Codable, Sendable, Equatable {
  /// Sum of the negative log-likelihoods of the supervised tokens.
  package var nll: Double
  /// How many there are, and how many of them are the most likely one.
  package var tokens, likeliest: Int
  /// Nil where nothing was generated.
  package var answer: Answer?

  /// A generated answer beside the right one.
  package struct Answer: Codable, Sendable, Equatable {
    /// The prompt's text, one `<|image_pad|>` a picture.
    package var prompt: String
    package var reference: String
    package var prediction: String
    /// Whether the model ended it by itself.
    package var finished: Bool
    package var exactMatch: Bool
    /// Nil where the row asks for no place.
    package var place: PlaceScore?
  }
}

/// Equal but for whitespace at the ends; case matters. Canonically equivalent texts are equal, as tokenizers see them.
package func isExactMatch(_ prediction: String, _ reference: String) -> Bool {
  prediction.trimmingCharacters(in: .whitespacesAndNewlines)
    == reference.trimmingCharacters(in: .whitespacesAndNewlines)
}

/// Scores rows for one base and any number of adapters.
package struct Evaluator: Sendable {
  private let base: BaseModel
  private let samples: SampleBuilder
  private let maxNewTokens: Int?
  private let generator: Generator

  /// - Parameter maxNewTokens: longest answer; nil: nothing is generated.
  package init(base: BaseModel, samples: SampleBuilder, maxNewTokens: Int?) {
    self.base = base
    self.samples = samples
    self.maxNewTokens = maxNewTokens
    generator = Generator(base, maxNewTokens: maxNewTokens ?? 0)
  }

  /// Results of each row for each of the adapters (nil: the base alone), the same bits for any number of ranks.
  /// - Parameters:
  ///   - tokens: how many tokens a unit of these rows has: units are formed and dealt by it.
  ///   - onRows: called on each rank behind each of its batches with how many of its rows are done, of how many.
  /// - Returns: `[adapters][rows]`
  /// - Throws: the same `RankFailure` on every rank, naming the row.
  /// - Important: Collective.
  package func results(
    _ rows: [Example], tokens: (ImageGroup) -> Int, adapters: [(any ProjectionAdapter<Float>)?],
    communicator: any Communicator, onRows: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> [[ExampleResult]] {
    let features = base.featureStore
    let batches = Batch.all(of: rows, newTokens: newTokens, tokens: tokens)
    let hands = partition(costs: batches.map { Double($0.tokens) }, ranks: communicator.size)
    let total = hands[communicator.rank].reduce(0) { $0 + batches[$1].rows.count }
    var done = 0
    let found = try mapOverRanks(
      hands, communicator, naming: { "evaluating \(names(batches[$0].rows.map { rows[$0] }))" }
    ) { index -> [[ExampleResult]] in
      defer {
        done += batches[index].rows.count
        onRows(done, total)
      }
      return try results(batches[index], of: rows, adapters: adapters, features: features)
    }
    let byRow = inRowOrder(found, of: batches.map { ImageGroup(rows: $0.rows) })
    return adapters.indices.map { adapter in byRow.map { $0[adapter] } }
  }

  /// Results of a batch's rows for each of the adapters: `[rows][adapters]`.
  private func results(
    _ batch: Batch, of rows: [Example], adapters: [(any ProjectionAdapter<Float>)?], features: FeatureStore
  ) throws -> [[ExampleResult]] {
    var prompts: [Prompt] = []
    let units = try batch.units.map { unit in
      let own = unit.rows.map { rows[$0] }
      let given = try own.map(samples.sample)
      let asked = try maxNewTokens == nil ? [] : own.map(samples.prompt)
      prompts += asked
      return EvaluationUnit(
        samples: given, prompts: asked.map(\.sample), features: try features.features(of: own[0], sample: given[0]))
    }
    let byAdapter = try adapters.map { adapter in
      let (losses, generations) = try generator.run(units, adapter: adapter)
      return losses.indices.map { index in
        ExampleResult(
          nll: losses[index].nll, tokens: losses[index].tokens, likeliest: losses[index].top1,
          answer: maxNewTokens.map { _ in
            answer(generations[index], row: rows[batch.rows[index]], prompt: prompts[index])
          })
      }
    }
    return batch.rows.indices.map { row in byAdapter.map { $0[row] } }
  }

  /// Tokens that an answer may have.
  private var newTokens: Int { min(maxNewTokens ?? 0, base.configuration.text.maxPositionEmbeddings) }

  private func answer(_ generation: Generation, row: Example, prompt: Prompt) -> ExampleResult.Answer {
    let prediction = base.tokenizer.decode(generation.tokens)
    let reference = prompt.reference ?? ""
    return ExampleResult.Answer(
      prompt: base.text(of: prompt.sample), reference: reference, prediction: prediction,
      finished: generation.endToken != nil, exactMatch: isExactMatch(prediction, reference),
      place: PlaceTarget(row: row, prompt: prompt)?.score(prediction))
  }
}

extension BaseModel {
  /// A sample's text, a picture's tokens written once.
  package func text(of sample: Sample) -> String {
    var repeated = Set<Int>()
    for span in sample.visualSpans { repeated.formUnion(span.dropFirst()) }
    return tokenizer.decode(sample.inputIDs.indices.filter { !repeated.contains($0) }.map { sample.inputIDs[$0] })
  }
}
