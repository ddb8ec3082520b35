// The predictions file: one JSON object a line, an example under one model.
import Datasets
import Files
import Foundation

/// One line of a predictions file.
package struct PredictionLine: Codable, Sendable, Equatable {
  package var id: String
  /// The example's groups, nil where it has none.
  package var group: [String: String]?
  /// `base` or `adapted`.
  package var model: String
  package var prompt, reference, prediction: String?
  package var finished, exact_match, point_in_box: Bool?
  package var iou: Double?
  /// How the answer was scored, and its score; nil for exact match alone.
  package var scorer: Scorer?
  package var score: Double?
  package var nll: Double
  package var tokens, likeliest_tokens: Int

  package init(_ example: Example, model: String, _ result: ExampleResult) {
    id = example.id
    group = example.groups.isEmpty ? nil : example.groups
    self.model = model
    prompt = result.answer?.prompt
    reference = result.answer?.reference
    prediction = result.answer?.prediction
    finished = result.answer?.finished
    exact_match = result.answer?.exactMatch
    point_in_box = result.answer?.place?.pointInBox
    iou = result.answer?.place?.iou
    (scorer, score) = (result.answer?.score?.scorer, result.answer?.score?.value)
    nll = result.nll
    tokens = result.tokens
    likeliest_tokens = result.top1
  }

  /// Writes a file whole or not at all.
  package static func write(_ lines: [PredictionLine], to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    var text = Data()
    for line in lines { text += try encoder.encode(line) + Data("\n".utf8) }
    try writeAtomically(text, to: path)
  }
}
