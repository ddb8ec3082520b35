// How long the examples of files are, without any weight: the tokenizer and the headers of the images are enough.
import Datasets
import Preprocessing

/// Shapes of files' examples, as far as they were read.
package struct MeasuredExamples: Sendable {
  package let file: String
  /// Shapes of the usable examples.
  package let shapes: [ExampleShape]
  /// Group key of each of them; see `imageKeys`.
  package let groups: [Int]
  /// The measured examples by file, and as many as each whole file has.
  package let parts, wholeParts: [DatasetPart]
  /// Examples of the whole files.
  package var count: Int { wholeParts.last?.examples.upperBound ?? 0 }
  /// Whether rows after the measured ones were left alone.
  package let isPartial: Bool
  /// What is wrong with the others, a line each.
  package let problems: [String]

  /// Reads files and measures the first examples of each.
  /// - Parameter limit: how many examples are measured at most.
  /// - Throws: the error of the first file that is missing or broken; `DatasetError.empty` where no example is usable.
  package init(_ files: ExampleFiles, samples: SampleBuilder, limit: Int = 5000) throws {
    let dataset = try files.read()
    var usable: [(row: Example, shape: ExampleShape)] = []
    var problems = dataset.problems.map(\.description)
    var parts: [DatasetPart] = []
    var wholeParts: [DatasetPart] = []
    var isPartial = false
    for part in dataset.parts {
      let read = part.examples.prefix(max(1, limit / dataset.parts.count))
      let start = usable.count
      for row in dataset.examples[read] {
        do {
          usable += try samples.samples(of: row).map { (row: $0.example, shape: ExampleShape($0.sample)) }
        } catch {
          problems.append("\(error)")
        }
      }
      parts.append(DatasetPart(name: part.name, examples: start..<usable.count, weight: part.weight))
      // The rows that were not read have as many examples of earlier answers as those that were.
      let earlier = usable[start...].count { $0.row.lastMessage != nil }
      let more = Double(earlier) * Double(part.examples.count) / Double(max(1, read.count))
      let first = wholeParts.last?.examples.upperBound ?? 0
      let whole = first..<(first + part.examples.count + Int(more.rounded()))
      wholeParts.append(DatasetPart(name: part.name, examples: whole, weight: part.weight))
      isPartial = isPartial || read.count < part.examples.count
    }
    guard !usable.isEmpty else { throw DatasetError.empty(file: files.title, problems: dataset.problems) }
    file = files.title
    shapes = usable.map(\.shape)
    groups = imageKeys(of: usable.map(\.row))
    (self.parts, self.wholeParts, self.isPartial, self.problems) = (parts, wholeParts, isPartial, problems)
  }

  /// Visual tokens of all different images among them, each counted once.
  package var imageTokens: Double {
    let most = Dictionary(zip(groups, shapes.map(\.visual)), uniquingKeysWith: max)
    return Double(most.values.reduce(0, +))
  }

  /// A mean over the measured examples.
  package func mean(_ part: KeyPath<ExampleShape, Int>) -> Double {
    shapes.reduce(0) { $0 + Double($1[keyPath: part]) } / Double(shapes.count)
  }
}
