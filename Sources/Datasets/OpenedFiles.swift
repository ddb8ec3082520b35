// Files of examples that are open: their rows can be read one and all, or looked at where they are known to be.
import Digests

/// The files of a run's examples, opened.
package struct OpenedFiles: Sendable {
  struct Opened: Sendable {
    let file: ExampleFile
    let reader: ExampleReader
    let source: RowSource
  }

  let files: [Opened]
  let split: ExampleSplit?
  /// The files for messages.
  package let title: String

  /// Reads all rows, one file after another.
  /// - Throws: the first file's error; `DatasetError.split` where one side has no example.
  package func read() throws(DatasetError) -> Dataset {
    var sets: [(file: ExampleFile, set: Dataset)] = []
    for opened in files { sets.append((opened.file, try opened.reader.read(opened.source))) }
    // One file as it is has the digest that it always had.
    let isPlain = sets.count == 1 && sets[0].file.weight == 1
    let all = isPlain ? sets[0].set : Dataset(joining: sets)
    guard let split else { return all }
    return try split.side(of: all, title: title)
  }

  /// SHA-256 over everything that decides what `read` gives: the bytes of the files, how they are read, and which side
  /// of a split is meant. Nil where rows are compressed, or images are in a file that has no digest of them.
  package var digest: String? {
    var digest = SHA256()
    for opened in files {
      guard opened.source.text.compression == nil else { return nil }
      digest.update("\(opened.file) \(opened.reader) \(opened.source.text.count)\n")
      if let container = opened.source.container {
        // A pack's covers its rows.
        guard let content = container.contentDigest else { return nil }
        digest.update("\(content)\n")
      } else {
        opened.source.text.withUnsafeBytes { digest.update($0) }
      }
    }
    digest.update("\(split.map { "\($0)" } ?? "all")")
    return digest.finish()
  }

  /// The rows, where none is compressed.
  package var table: RowTable { RowTable(files.map { HeldRows(RowParser($0.reader), $0.source) }) }
}
