// Usable examples as they were read from one or several files, and which of them came from which.
import Digests
import Files

/// The examples of a data set that came from one file, next to each other.
package struct DatasetPart: Sendable, Equatable {
  /// The file's name before ids; empty where there is one file.
  package var name: String
  package var examples: Range<Int>
  /// How often an epoch takes each example.
  package var weight: Double
  package init(name: String = "", examples: Range<Int>, weight: Double = 1) {
    (self.name, self.examples, self.weight) = (name, examples, weight)
  }

  /// Examples that an epoch takes: whole ones, so that all epochs have equally many.
  package var examplesPerEpoch: Int {
    examples.isEmpty ? 0 : max(1, Int((Double(examples.count) * weight).rounded()))
  }
}

/// The usable examples of files, in their order, and what was wrong with the others.
package struct Dataset: Sendable, Equatable {
  package let examples: [Example]
  package let problems: [ExampleProblem]
  /// SHA-256 over the usable examples' ids and row bytes, in order; it does not depend on the file's path. Of several
  /// files, of a weight or of one side of a split: over their digests and these settings.
  package let digest: String
  /// Keys that were left out by name or by their `_`, and how often, in the order of their bytes.
  package let ignoredKeys: [(key: String, count: Int)]
  /// The examples by file; every example is in one part.
  package let parts: [DatasetPart]
  /// What names each example for a split, whatever other rows the files have; empty where there is none.
  let identities: [String]
  /// Where the row of each example is.
  package let rows: [RowPlace]
  /// The rows as text.
  package let table: RowTable

  package static func == (a: Dataset, b: Dataset) -> Bool {
    a.examples == b.examples && a.problems == b.problems && a.digest.hasSameBytes(as: b.digest)
      && a.ignoredKeys.elementsEqual(b.ignoredKeys) { $0.key.hasSameBytes(as: $1.key) && $0.count == $1.count }
      && a.parts == b.parts
  }
}

extension Dataset {
  /// The examples of several files, one file after the other.
  init(joining sets: [(file: ExampleFile, set: Dataset)]) {
    var parts: [DatasetPart] = []
    var ignored: [ExactString: Int] = [:]
    for (file, set) in sets {
      let start = parts.last?.examples.upperBound ?? 0
      parts.append(
        DatasetPart(name: file.name, examples: start..<(start + set.examples.count), weight: file.weight))
      for (key, count) in set.ignoredKeys { ignored[ExactString(key), default: 0] += count }
    }
    let rows = sets.enumerated().flatMap { index, entry in
      entry.set.rows.map { place in
        var place = place
        place.file = index
        return place
      }
    }
    let digests = sets.map { file, set in "\(file.weight) \(file.name.utf8.count) \(file.name) \(set.digest)" }
    self.init(
      examples: sets.flatMap(\.set.examples), problems: sets.flatMap(\.set.problems),
      digest: SHA256.hex(digests.joined(separator: "\n")),
      ignoredKeys: ignored.sorted { $0.key < $1.key }.map { (key: $0.key.text, count: $0.value) }, parts: parts,
      identities: sets.flatMap(\.set.identities), rows: rows, table: RowTable(joining: sets.map(\.set.table)))
  }

  /// The examples at these indices, ascending, under another digest.
  func selecting(_ indices: [Int], digest: String) -> Dataset {
    var kept = 0
    let parts = parts.map { part in
      let count = indices.count { part.examples.contains($0) }
      defer { kept += count }
      return DatasetPart(name: part.name, examples: kept..<(kept + count), weight: part.weight)
    }
    return Dataset(
      examples: indices.map { examples[$0] }, problems: problems, digest: digest, ignoredKeys: ignoredKeys,
      parts: parts, identities: indices.map { identities[$0] }, rows: indices.map { rows[$0] }, table: table)
  }
}
