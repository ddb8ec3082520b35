// An evaluation as a JSON document for programs: docs/formats.md lists the fields.

/// The metrics of one or more models on the same examples, over all of them and by group.
package struct EvaluationDocument: Encodable, Equatable {
  /// Metrics of one model; rates from 0 to 1, nil where no example counts.
  package struct Values: Encodable, Equatable {
    let examples, tokens: Int
    let loss, perplexity, tokenAccuracy: Double
    let exactMatch, finished, pointInBox, iouAtHalf, meanIou: Double?
    /// Examples whose answer was generated, is a place, is a box.
    let generated, places, boxes: Int
    /// By scorer, where examples have one.
    let scores: [String: Score]?

    struct Score: Encodable, Equatable {
      let examples: Int
      let value: Double?
    }

    init(_ metrics: Metrics) {
      (examples, tokens, loss) = (metrics.examples, metrics.tokens, metrics.loss)
      (perplexity, tokenAccuracy) = (metrics.perplexity, metrics.tokenAccuracy)
      (exactMatch, finished) = (metrics.exactMatch.value, metrics.finished.value)
      (pointInBox, iouAtHalf, meanIou) = (metrics.pointInBox.value, metrics.iouAtHalf.value, metrics.meanIoU.value)
      (generated, places, boxes) = (metrics.exactMatch.count, metrics.pointInBox.count, metrics.meanIoU.count)
      scores =
        metrics.scores.isEmpty
        ? nil
        : Dictionary(
          uniqueKeysWithValues: metrics.scores.map {
            ($0.scorer.rawValue, Score(examples: $0.mean.count, value: $0.mean.value))
          })
    }
  }

  /// A model's metrics over all examples, and by key and value of their groups.
  package struct Model: Encodable, Equatable {
    let all: Values
    let groups: [String: [String: Values]]
  }

  let file: String
  /// Bad examples that were left out.
  let leftOut: Int
  /// By name: `base`, `adapted`.
  let models: [String: Model]

  /// - Parameters:
  ///   - groups: an example's `[key: value]`, for each example.
  ///   - models: results for each example.
  /// - Precondition: at least one example.
  package init(
    file: String, leftOut: Int, groups: [[String: String]], _ models: [(name: String, results: [ExampleResult])]
  ) {
    (self.file, self.leftOut) = (file, leftOut)
    let members = Metrics.members(of: groups)
    self.models = Dictionary(
      uniqueKeysWithValues: models.map { name, results in
        let byGroup = members.mapValues { values in
          values.mapValues { indices in Values(Metrics(indices.map { results[$0] })) }
        }
        return (name, Model(all: Values(Metrics(results)), groups: byGroup))
      })
  }
}
