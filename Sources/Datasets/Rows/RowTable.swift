// Rows that are held as text, each made into its example when it is asked for: a row takes far less memory than an
// example, and one that was checked before need not be made again to train on others.
import Files
import Foundation

/// Where a row is.
package struct RowPlace: Sendable, Equatable {
  /// Which file of those that were read.
  package var file = 0
  /// Its bytes in the text of the file.
  package var start, count: Int
  /// As `RowSplitter.Row` has them.
  package var line, number: Int
  package init(file: Int = 0, start: Int, count: Int, line: Int, number: Int) {
    (self.file, self.start, self.count, self.line, self.number) = (file, start, count, line, number)
  }
}

/// The text of a file: mapped, or in memory.
enum RowBytes: Sendable {
  case mapped(Data)
  case read([UInt8])

  var count: Int {
    switch self {
    case .mapped(let data): data.count
    case .read(let bytes): bytes.count
    }
  }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    switch self {
    case .mapped(let data): data.withUnsafeBytes(body)
    case .read(let bytes): bytes.withUnsafeBytes(body)
    }
  }

  /// In memory, where nobody who writes to the file changes them.
  var inMemory: [UInt8] {
    switch self {
    case .mapped(let data): Array(data)
    case .read(let bytes): bytes
    }
  }

  var compression: (name: String, program: String)? {
    withUnsafeBytes { bytes in compressedStream(bytes).map { type(of: $0).format } }
  }
}

/// A file of rows, opened.
struct RowSource: Sendable {
  let path: String
  /// As it lies in the file, perhaps compressed; of an archive, its rows gathered.
  let text: RowBytes
  /// Where the images of a pack or archive are.
  let container: (any ImageContainer)?
}

/// The rows of one file in memory.
final class HeldRows: Sendable {
  private let parser: RowParser
  private let text: [UInt8]
  private let isArray: Bool
  private let container: (any ImageContainer)?

  init(_ parser: RowParser, text: [UInt8], isArray: Bool, container: (any ImageContainer)?) {
    (self.parser, self.text, self.isArray, self.container) = (parser, text, isArray, container)
  }

  /// The rows of a file whose text is not compressed.
  convenience init(_ parser: RowParser, _ source: RowSource) {
    let isArray = source.text.withUnsafeBytes { bytes in
      RowSplitter(RowText(bytes, maxRowBytes: parser.reader.maxLineBytes)).isArray
    }
    self.init(parser, text: source.text.inMemory, isArray: isArray, container: source.container)
  }

  /// Where images lie was checked when the rows were read.
  func example(_ place: RowPlace) throws(ExampleProblem) -> Example {
    guard place.start >= 0, place.count >= 0, place.start <= text.count - place.count else {
      throw ExampleProblem(line: place.line, id: "line-\(place.line)", reason: "the row lies outside of its file")
    }
    let folder = ImageFolder(parser.reader.imageRoot, confined: false, container: container)
    var ignored = IgnoredKeys(parser.reader.ignoredKeys)
    let found = text.withUnsafeBytes { text in
      Result { () throws(ExampleProblem) in
        let bytes = UnsafeRawBufferPointer(rebasing: text[place.start..<place.start + place.count])
        return try parser.example(
          of: RowSplitter.Row(bytes: bytes, line: place.line, number: place.number, isElement: isArray),
          folder: folder, ignored: &ignored)
      }
    }
    return try found.get()
  }
}

/// The rows of files.
package struct RowTable: Sendable {
  private let files: [HeldRows]
  init(_ files: [HeldRows]) { self.files = files }

  init(joining tables: [RowTable]) { files = tables.flatMap(\.files) }

  /// The example of a row.
  /// - Throws: for a place where there is none.
  package func example(_ place: RowPlace) throws(ExampleProblem) -> Example {
    guard files.indices.contains(place.file) else {
      throw ExampleProblem(line: place.line, id: "line-\(place.line)", reason: "the row lies in no file of the run")
    }
    return try files[place.file].example(place)
  }
}
