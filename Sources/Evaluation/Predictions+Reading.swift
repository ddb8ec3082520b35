// A predictions file read back and checked: every line, or an error for the first that is wrong.
import Files
import Foundation

extension PredictionLine {
  /// Largest file that is read, in bytes.
  private static let maximumBytes = 1 << 30

  /// Reads a file that `evaluate --output` wrote.
  /// - Throws: `FileError`, naming the line.
  package static func read(_ path: String) throws(FileError) -> [PredictionLine] {
    let data = try readFile(path, maximumBytes: maximumBytes)
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    var lines: [PredictionLine] = []
    var seen = Set<[String]>()
    for (index, bytes) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where bytes.contains(where: { ![0x20, 0x09, 0x0D].contains($0) }) {
      func refuse(_ problem: String) -> FileError {
        FileError(path, "line \(index + 1): \(problem)", remedy: "write it with imagelora evaluate --output")
      }
      let line: PredictionLine
      do {
        line = try decoder.decode(PredictionLine.self, from: Data(bytes))
      } catch {
        throw refuse("is not a prediction")
      }
      guard line.tokens > 0, line.tokens < 1 << 40, (0...line.tokens).contains(line.likeliest_tokens) else {
        throw refuse("likeliest_tokens \(line.likeliest_tokens) of \(line.tokens) tokens")
      }
      guard (0...1).contains(line.score ?? 0) else { throw refuse("score \(line.score ?? 0) is not from 0 to 1") }
      guard seen.insert([line.model, line.id]).inserted else {
        throw refuse("a second prediction of this model for this example")
      }
      lines.append(line)
    }
    guard !lines.isEmpty else {
      throw FileError(path, "holds no predictions", remedy: "run imagelora evaluate --output")
    }
    return lines
  }

  /// The line's result, as the evaluation had it.
  package var result: ExampleResult {
    ExampleResult(
      nll: nll, tokens: tokens, top1: likeliest_tokens,
      answer: prediction.map { prediction in
        ExampleResult.Answer(
          prompt: prompt ?? "", reference: reference ?? "", prediction: prediction, finished: finished ?? false,
          exactMatch: exact_match ?? false, place: point_in_box.map { PlaceScore(pointInBox: $0, iou: iou) },
          score: answerScore)
      })
  }

  private var answerScore: AnswerScore? {
    guard let scorer, let score else { return nil }
    return AnswerScore(scorer: scorer, value: score)
  }

  /// Whether the answer is right: the place where one was asked for (a box by half its union), otherwise every
  /// character. Nil where nothing was generated.
  package var isRight: Bool? {
    guard prediction != nil else { return nil }
    if let iou { return iou >= 0.5 }
    return point_in_box ?? score.map { $0 >= 0.5 } ?? exact_match
  }
}
