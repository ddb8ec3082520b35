// The metrics of a whole evaluation, and the table that compares two of them.
import Datasets
import Formatting
import Foundation

/// Means over examples; a mean over nothing is nil.
package struct Metrics: Sendable, Equatable {
  /// Examples, and supervised tokens.
  package var examples, tokens: Int
  /// NLL a supervised token.
  package var loss: Double
  package var tokenAccuracy: Double
  package var exactMatch, finished: Mean
  /// Over examples whose answer is a place.
  package var pointInBox: Mean
  /// Over examples whose answer is a box.
  package var iouAtHalf, meanIoU: Mean
  /// By the scorers of the examples, in their order; a scorer that no example has is left out.
  package var scores: [(scorer: Scorer, mean: Mean)]

  /// A mean and how many examples it is over.
  package struct Mean: Sendable, Equatable {
    package var count: Int
    /// Nil over nothing.
    package var value: Double?

    init(count: Int, value: Double?) { (self.count, self.value) = (count, value) }

    init(_ values: [Double]) {
      self.init(count: values.count, value: values.isEmpty ? nil : values.reduce(0, +) / Double(values.count))
    }
  }

  package var perplexity: Double { exp(loss) }

  /// Over the scores of all scorers together; nil without any.
  package var meanScore: Double? {
    let count = scores.reduce(0) { $0 + $1.mean.count }
    let sum = scores.reduce(0) { $0 + Double($1.mean.count) * ($1.mean.value ?? 0) }
    return count > 0 ? sum / Double(count) : nil
  }

  /// Adds in the order of the examples, so that equal examples give equal bits.
  /// - Precondition: at least one example.
  package init(_ results: [ExampleResult]) {
    precondition(!results.isEmpty, "nothing was evaluated")
    examples = results.count
    tokens = results.reduce(0) { $0 + $1.tokens }
    loss = results.reduce(0) { $0 + $1.nll } / Double(tokens)
    tokenAccuracy = Double(results.reduce(0) { $0 + $1.top1 }) / Double(tokens)
    let answers = results.compactMap(\.answer)
    let places = answers.compactMap(\.place)
    let ious = places.compactMap(\.iou)
    exactMatch = Mean(answers.map { $0.exactMatch ? 1 : 0 })
    finished = Mean(answers.map { $0.finished ? 1 : 0 })
    pointInBox = Mean(places.map { $0.pointInBox ? 1 : 0 })
    iouAtHalf = Mean(ious.map { $0 >= 0.5 ? 1 : 0 })
    meanIoU = Mean(ious)
    let scored = answers.compactMap(\.score)
    scores = Scorer.allCases.map { scorer in
      (scorer, Mean(scored.filter { $0.scorer == scorer }.map(\.value)))
    }.filter { $0.mean.count > 0 }
  }

  package static func == (a: Self, b: Self) -> Bool {
    (a.examples, a.tokens, a.loss, a.tokenAccuracy) == (b.examples, b.tokens, b.loss, b.tokenAccuracy)
      && (a.exactMatch, a.finished, a.pointInBox) == (b.exactMatch, b.finished, b.pointInBox)
      && (a.iouAtHalf, a.meanIoU) == (b.iouAtHalf, b.meanIoU)
      && a.scores.elementsEqual(b.scores) { $0 == $1 }
  }

  /// The table's lines: a column a model, and with two of them their difference, second less first.
  package static func table(_ columns: [(name: String, metrics: Metrics)]) -> [String] {
    guard let first = columns.first?.metrics else { return [] }
    func row(_ name: String, _ decimals: Int, scale: Double = 1, _ value: (Metrics) -> Double?) -> String? {
      let values = columns.compactMap { value($0.metrics) }
      return values.count == columns.count ? line(name, cells(values, decimals, scale: scale)) : nil
    }
    return [
      line("", columns.map(\.name) + (columns.count == 2 ? ["difference"] : [])),
      row("loss (\(first.tokens) tokens)", 4) { $0.loss },
      row("perplexity", 4) { $0.perplexity },
      row("token accuracy", 2, scale: 100) { $0.tokenAccuracy },
      row("exact match (\(plural(first.exactMatch.count, "example")))", 2, scale: 100) { $0.exactMatch.value },
      row("ended by the model", 2, scale: 100) { $0.finished.value },
      row("point in box (\(plural(first.pointInBox.count, "example")))", 2, scale: 100) { $0.pointInBox.value },
      row("IoU >= 0.5 (\(plural(first.iouAtHalf.count, "example")))", 2, scale: 100) { $0.iouAtHalf.value },
      row("mean IoU", 4) { $0.meanIoU.value },
    ].compactMap(\.self)
      + first.scores.compactMap { scorer, mean in
        row("\(scorer.words) (\(plural(mean.count, "example")))", 2, scale: 100) { metrics in
          metrics.scores.first { $0.scorer == scorer }?.mean.value
        }
      }
  }

  /// That answers got worse from the first of two models to the second while the loss fell, in one line; nil where they
  /// did not.
  package static func regression(_ models: [Metrics]) -> String? {
    guard models.count == 2 else { return nil }
    let means = models.map { metrics in
      [("point in box", metrics.pointInBox), ("mean IoU", metrics.meanIoU), ("exact match", metrics.exactMatch)]
        + metrics.scores.map { ($0.scorer.words, $0.mean) }
    }
    // Of places a point or box says more than every character.
    let fallen = zip(means[0], means[1]).first { ($0.1.value ?? 0) > ($1.1.value ?? 0) }
    guard let (before, after) = fallen, let from = before.1.value, let to = after.1.value else { return nil }
    return regression(before.0, from: (models[0].loss, from), to: (models[1].loss, to))
  }

  /// That a metric fell while the loss fell, nil where it did not.
  package static func regression(
    _ name: String, from before: (loss: Double, value: Double), to after: (loss: Double, value: Double)
  ) -> String? {
    guard after.loss < before.loss, after.value < before.value else { return nil }
    return "the loss fell from \(fixed(before.loss, 4)) to \(fixed(after.loss, 4)), but \(name) fell too, from "
      + "\(percent(before.value)) to \(percent(after.value))"
  }

  static func line(_ name: String, _ cells: [String], width: Int = 28) -> String {
    padded(name, to: width) + cells.map { rightAligned($0, to: 14) }.joined()
  }

  /// Numbers as text, per cent for a scale of 100, and after two of them their difference.
  static func cells(_ values: [Double], _ decimals: Int, scale: Double = 1) -> [String] {
    let (values, unit) = (values.map { $0 * scale }, scale == 100 ? "%" : "")
    let difference = values.count == 2 ? [signed(values[1] - values[0], decimals) + unit] : []
    return values.map { fixed($0, decimals) + unit } + difference
  }
}
