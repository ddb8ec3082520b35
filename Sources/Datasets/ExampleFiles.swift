// The files that a run's examples come from, and whether they are split into examples for training and validation.

/// One file of examples among those of a run.
package struct ExampleFile: Sendable, Equatable {
  package var path: String
  /// Stands before the ids of its examples, with a colon; empty where there is one file.
  package var name: String
  /// How often an epoch takes each example.
  package var weight: Double
  /// Folder that relative image paths start from.
  package var imageRoot: String
  package init(path: String, name: String = "", weight: Double = 1, imageRoot: String) {
    (self.path, self.name, self.weight, self.imageRoot) = (path, name, weight, imageRoot)
  }
}

/// Files of examples, how they are read, and which of their examples are meant.
package struct ExampleFiles: Sendable {
  package let files: [ExampleFile]
  private let reader: ExampleReader
  /// Nil: all examples.
  package let split: ExampleSplit?

  /// - Precondition: there is a file, and where there are several each has a name of its own.
  package init(_ files: [ExampleFile], reader: ExampleReader, split: ExampleSplit? = nil) {
    precondition(!files.isEmpty, "examples come from files")
    (self.files, self.reader, self.split) = (files, reader, split)
  }

  /// All examples of one file.
  package init(_ path: String, reader: ExampleReader) {
    self.init([ExampleFile(path: path, imageRoot: reader.imageRoot)], reader: reader)
  }

  /// The files for messages: at most three of them by their paths.
  package var title: String {
    let rest = files.count - 3
    return files.prefix(3).map(\.path).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }

  /// Opens the files and reads none of their rows.
  /// - Throws: the first file's error.
  package func open() throws(DatasetError) -> OpenedFiles {
    var opened: [OpenedFiles.Opened] = []
    for file in files {
      var reader = reader
      (reader.imageRoot, reader.name, reader.isForSplit) = (file.imageRoot, file.name, split != nil)
      opened.append(OpenedFiles.Opened(file: file, reader: reader, source: try reader.open(file.path)))
    }
    return OpenedFiles(files: opened, split: split, title: title)
  }

  /// Reads the files one after another.
  /// - Throws: the first file's error; `DatasetError.split` where one side has no example.
  package func read() throws(DatasetError) -> Dataset { try open().read() }
}
