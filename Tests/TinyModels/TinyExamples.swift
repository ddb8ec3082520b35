// Examples and images for tiny models.
import Datasets
import Foundation
import Preprocessing

/// Examples about one image of 120 x 90 pixels (a square and a disc), and one without.
package enum TinyExamples {
  /// The image as a data URL.
  package static let image =
    "data:image/png;base64,"
    + "iVBORw0KGgoAAAANSUhEUgAAAHgAAABaCAIAAAD8YgW4AAABd0lEQVR42u3dsVXDMBQFUKTjOagoqBiCcRiIcRiCioIqBXVGYIIksi19W9J9"
    + "bYi/zuVFhByD0vX69yTtkxGABi2gQYMW0KAFNGjQAhq0gAYNWkCDFtDnzHL/4Z+396NW9vr9pdECGjRoAQ1aQIMGLcf/ZjhkXj4utx76/XwG"
    + "3Qr31pfVRV8Q339iLe4FcQz3gjiGO1OOuXKmHHP9TDlmSqYcMytTjpmYKcfMzZRjpvtQKShZnWPWoNEa3UOdy1ei0RrdSZ0L16PRGg1aZoE+"
    + "2wZdsiqN1mjQAho0aASgQcsk0O3u+Wy3qge3hA32V5UaDVomhz7bNv1wPRqt0f2UumQlGq3RnZS6cA0ardE9lLp8+giNPsp61dxBto5467UT"
    + "x9mjI603zBrqh2GM9bYpo73raG29+foDvr1rZ73nymngQ8kq3tC0/5uXhj/9bSd3rddHmuSYvQ3cdbegNOF5hof8B5rk4MiY+FAJNGgBDRo0"
    + "AtCgZX3+ARCAeNnTS8/sAAAAAElFTkSuQmCC"

  /// One example a line, as in a file of training data.
  package static let lines = [
    line("box", question: "Where is the square?", answer: "<bbox>", box: "[10, 20, 51, 61]"),
    line("point", question: "Click the disc.", answer: "<point>", box: "[60, 30, 111, 81]"),
    line("word", question: "Colour?", answer: "red"),
    #"{"id": "text", "messages": [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"}]}"#,
  ]

  private static func line(_ id: String, question: String, answer: String, box: String? = nil) -> String {
    line(id, images: [image], question: question, answer: answer, objects: box.map { #"{"bbox": [\#($0)]}"# })
  }

  /// A line of training data: a question about some images, and its answer.
  /// - Parameters:
  ///   - images: paths or data URLs.
  ///   - objects: a JSON object.
  package static func line(
    _ id: String, images: [String] = [], question: String, answer: String, objects: String? = nil
  ) -> String {
    let listed = images.map { #""\#($0)""# }.joined(separator: ", ")
    let prompt = String(repeating: "<image>", count: images.count) + question
    return #"{"id": "\#(id)", "images": [\#(listed)], "messages": [{"role": "user", "content": "\#(prompt)"}, "#
      + #"{"role": "assistant", "content": "\#(answer)"}]"# + (objects.map { #", "objects": \#($0)"# } ?? "") + "}"
  }

  /// The lines, read.
  package static func examples() throws -> [Example] {
    try ExampleReader().read(Data(lines.joined(separator: "\n").utf8), name: "examples").examples
  }

  /// The bytes of a PNG file: a gradient that no other seed has.
  package static func png(width: Int, height: Int, seed: Int) throws -> [UInt8] {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for level in [x * (seed + 1), y * (seed + 2), (x + y) * (seed + 3) + 40 * seed] {
          pixels.append(UInt8(truncatingIfNeeded: level))
        }
      }
    }
    return Array(try RGBImage(width: width, height: height, pixels: pixels).png())
  }
}
