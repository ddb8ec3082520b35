// Questions about places as benchmarks annotate them, and how they become examples.
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
  /// The image's size, with which the box was compared; nil where it is not known.
  package var size: Size?
  /// Groups for which accuracy is reported separately, as `["platform": "web"]`.
  package var groups: [String: String]

  /// An image's width and height in pixels.
  package struct Size: Sendable, Equatable, CustomStringConvertible {
    package let width, height: Int
    package init(width: Int, height: Int) { (self.width, self.height) = (width, height) }
    package var description: String { "\(width) x \(height)" }
  }

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
}
