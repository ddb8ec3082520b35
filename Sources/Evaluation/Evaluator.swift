// Rows scored one by one by all ranks: loss and token accuracy with the answer given, then the answer generated.
import Collectives
import Datasets
import Foundation
import Preprocessing
import QwenVL
import Tensors
import Units

/// What one model made of one row.
public struct RowResult: Codable, Sendable, Equatable {
  /// Sum of the negative log-likelihoods of the supervised tokens.
  public var nll: Double
  /// How many there are, and how many of them are the most likely one.
  public var tokens, likeliest: Int
  /// Nil where nothing was generated.
  public var answer: Answer?

  /// A generated answer beside the right one.
  public struct Answer: Codable, Sendable, Equatable {
    /// The prompt's text, one `<|image_pad|>` a picture.
    public var prompt: String
    public var reference: String
    public var prediction: String
    /// Whether the model ended it by itself.
    public var finished: Bool
    public var exactMatch: Bool
    /// Nil where the row asks for no place.
    public var place: PlaceScore?
  }
}

/// Equal but for whitespace at the ends; case matters. Canonically equivalent texts are equal, as tokenizers see them.
public func isExactMatch(_ prediction: String, _ reference: String) -> Bool {
  prediction.trimmingCharacters(in: .whitespacesAndNewlines)
    == reference.trimmingCharacters(in: .whitespacesAndNewlines)
}

/// Scores rows for one base and any number of adapters.
public struct Evaluator: Sendable {
  private let base: BaseModel
  private let samples: SampleBuilder
  private let generator: Generator?

  /// - Parameter maxNewTokens: longest answer; nil: nothing is generated.
  public init(base: BaseModel, samples: SampleBuilder, maxNewTokens: Int?) {
    self.base = base
    self.samples = samples
    generator = maxNewTokens.map { Generator(base, maxNewTokens: $0) }
  }

  /// Results of each row for each of the adapters (nil: the base alone), the same bits for any number of ranks.
  /// - Parameters:
  ///   - costs: what each row costs, in any unit, to deal rows fairly.
  ///   - onRow: called on each rank behind each of its rows with how many are done, of how many.
  /// - Returns: `[adapters][rows]`
  /// - Throws: the same `RankFailure` on every rank, naming the row.
  /// - Important: Collective.
  public func results(
    _ rows: [Row], costs: [Int], adapters: [(any ValueAdapter<Float>)?], communicator: any Communicator,
    onRow: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> [[RowResult]] {
    let features = base.featureStore
    let hands = deal(units: costs.map(Double.init), ranks: communicator.size)
    var done = 0
    let byRow = try mapOverRanks(hands, communicator) { index -> [RowResult] in
      defer {
        done += 1
        onRow(done, hands[communicator.rank].count)
      }
      return try results(rows[index], adapters: adapters, features: features)
    }
    return adapters.indices.map { adapter in byRow.map { $0[adapter] } }
  }

  private func results(
    _ row: Row, adapters: [(any ValueAdapter<Float>)?], features: FeatureStore
  ) throws -> [RowResult] {
    let sample = try samples.sample(for: row)
    let pictures = try features.features(of: row, sample: sample)
    let unit = base.unitInput([sample], features: pictures)
    let prompt = try generator == nil ? nil : samples.prompt(for: row)
    return try adapters.map { adapter in
      let hidden = base.hidden(unit, adapter: adapter)
      let nll = base.model.head.loss(hidden, targets: unit.targets).reduce(0, +)
      let likeliest = zip(base.model.head.argmax(hidden), unit.targets).count { $0 == $1 }
      var result = RowResult(nll: nll, tokens: unit.targets.count, likeliest: likeliest)
      if let generator, let prompt {
        // Pictures behind the prompt, if any, are the last ones.
        let seen = Array(pictures.prefix(prompt.sample.visualSpans.count))
        let generation = try generator.generate(prompt.sample, features: seen, adapter: adapter)
        result.answer = answer(generation, row: row, prompt: prompt)
      }
      return result
    }
  }

  private func answer(_ generation: Generation, row: Row, prompt: Prompt) -> RowResult.Answer {
    let prediction = base.tokenizer.decode(generation.tokens)
    let reference = prompt.reference ?? ""
    return RowResult.Answer(
      prompt: base.text(of: prompt.sample), reference: reference, prediction: prediction,
      finished: generation.endToken != nil, exactMatch: isExactMatch(prediction, reference),
      place: PlaceTarget(row: row, prompt: prompt)?.score(prediction))
  }
}

extension BaseModel {
  /// A sample's text, a picture's tokens written once.
  public func text(of sample: Sample) -> String {
    var repeated = Set<Int>()
    for span in sample.visualSpans { repeated.formUnion(span.dropFirst()) }
    return tokenizer.decode(sample.inputIDs.indices.filter { !repeated.contains($0) }.map { sample.inputIDs[$0] })
  }
}
