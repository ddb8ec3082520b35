// How long the examples of a file are, without any weight: the tokenizer and the headers of the images are enough.
import Datasets
import Preprocessing

/// Shapes of a file's examples, as far as it was read.
package struct MeasuredExamples: Sendable {
  package let file: String
  /// Shapes of the usable examples.
  package let shapes: [ExampleShape]
  /// Group key of each of them; see `imageKeys`.
  package let groups: [Int]
  /// Examples of the whole file.
  package let count: Int
  /// Whether rows after the measured ones were left alone.
  package let isPartial: Bool
  /// What is wrong with the others, a line each.
  package let problems: [String]

  /// Reads a file and measures its first examples.
  /// - Parameter limit: how many examples are measured at most.
  /// - Throws: the error of the first file that is missing or broken; `DatasetError.empty` where no example is usable.
  package init(_ file: String, reader: ExampleReader, samples: SampleBuilder, limit: Int = 5000) throws {
    let dataset = try reader.read(file)
    var usable: [(row: Example, shape: ExampleShape)] = []
    var problems = dataset.problems.map(\.description)
    for row in dataset.examples.prefix(limit) {
      do {
        usable += try samples.samples(of: row).map { (row: $0.example, shape: ExampleShape($0.sample)) }
      } catch {
        problems.append("\(error)")
      }
    }
    guard !usable.isEmpty else { throw DatasetError.empty(file: file, problems: dataset.problems) }
    self.file = file
    shapes = usable.map(\.shape)
    groups = imageKeys(of: usable.map(\.row))
    // The rows that were not read have as many examples of earlier answers as those that were.
    let (all, read) = (dataset.examples.count, min(limit, dataset.examples.count))
    let earlier = usable.count { $0.row.lastMessage != nil }
    count = all + Int((Double(earlier) * Double(all) / Double(read)).rounded())
    isPartial = read < all
    self.problems = problems
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
