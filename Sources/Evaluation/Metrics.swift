// The metrics of a whole evaluation, and the table that compares two of them.
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
  }

  static func line(_ name: String, _ cells: [String], width: Int = 28) -> String {
    padded(name, to: width) + cells.map { rightAligned($0, to: 14) }.joined()
  }

  /// Numbers as text, per cent for a scale of 100, and after two of them their difference.
  static func cells(_ values: [Double], _ decimals: Int, scale: Double = 1) -> [String] {
    let (values, unit) = (values.map { $0 * scale }, scale == 100 ? "%" : "")
    let difference = values.count == 2 ? [String(format: "%+.\(decimals)f", values[1] - values[0]) + unit] : []
    return values.map { fixed($0, decimals) + unit } + difference
  }
}
