// Questions about places as benchmarks annotate them, and how they become examples.
import Files
import Foundation

/// An expression and the box that it means.
package struct Annotation: Sendable, Equatable {
  /// Unique in its file, and the id of its example.
  package var id: String
  /// The image's file, as the benchmark names it.
  package var image: String
  /// The benchmark's expression or instruction, unchanged.
  package var expression: String
  /// In pixels of the image.
  package var box: Objects.Box
  /// Groups for which accuracy is reported separately, as `["platform": "web"]`.
  package var groups: [String: String]

  /// What an example's answer is.
  package enum Answer: String, Sendable, CaseIterable { case point, box }

  /// The line of a file of examples: a question, and an answer whose coordinates are filled in for the model that
  /// reads it.
  /// - Parameter prompt: the question's text, `{}` stands for the expression.
  package func line(prompt: String, answer: Answer) throws -> Foundation.Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(
      Line(
        id: id, images: [image],
        messages: [
          Line.Message(role: "user", content: "<image>" + prompt.replacing("{}", with: expression)),
          Line.Message(role: "assistant", content: answer == .point ? "<point>" : "<bbox>"),
        ], objects: Line.Objects(bbox: [[box.x1, box.y1, box.x2, box.y2]]), group: groups))
  }

  private struct Line: Encodable {
    struct Message: Encodable { var role, content: String }
    struct Objects: Encodable { var bbox: [[Double]] }
    var id: String
    var images: [String]
    var messages: [Message]
    var objects: Objects
    var group: [String: String]
  }

  /// A box of `[x, y, width, height]` in pixels, the form of COCO.
  static func box(_ numbers: [Double], at place: String, of file: String) throws(DatasetError) -> Objects.Box {
    guard numbers.count == 4, numbers.allSatisfy({ (0...Objects.maxCoordinate).contains($0) }),
      numbers[2] > 0, numbers[3] > 0
    else { throw .unreadable(file: file, reason: "\(place): bbox \(numbers) needs x, y, width, height in pixels") }
    return Objects.Box(x1: numbers[0], y1: numbers[1], x2: numbers[0] + numbers[2], y2: numbers[1] + numbers[3])
  }

  /// A file's JSON.
  static func decode<T: Decodable>(_: T.Type, from data: Foundation.Data, name: String) throws(DatasetError) -> T {
    do {
      return try JSONDecoder().decode(T.self, from: data)
    } catch {
      throw .unreadable(file: name, reason: jsonProblem(error, in: data))
    }
  }
}
