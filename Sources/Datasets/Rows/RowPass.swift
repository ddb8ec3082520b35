// One pass over a file's rows: what each comes to, and the digest of all of them.
import Digests
import Files

/// What was read of a file so far.
struct RowPass: ~Copyable {
  let parser: RowParser
  let folder: ImageFolder
  private var digest = SHA256()
  private var firstLines: [ExactString: Int] = [:]
  private(set) var examples: [Example] = []
  /// Where each example's row is in the file's text, or in `held`.
  private(set) var rows: [RowPlace] = []
  private(set) var problems: [ExampleProblem] = []
  /// What names each example for a split; see `Dataset.identities`.
  private(set) var identities: [String] = []
  private(set) var ignored: IgnoredKeys
  /// The rows of examples of a file whose text is nowhere as a whole; nil for one that is not compressed.
  private(set) var held: [UInt8]?
  private(set) var isArray = false
  /// Where the file's text begins.
  private var start: UnsafeRawPointer?

  /// - Parameter isTextHeld: whether the file's text is in memory as a whole.
  init(_ parser: RowParser, folder: ImageFolder, isTextHeld: Bool) {
    (self.parser, self.folder) = (parser, folder)
    ignored = IgnoredKeys(parser.reader.ignoredKeys)
    held = isTextHeld ? nil : []
  }

  /// Takes where the text begins, and whether it is an array.
  mutating func begin(_ bytes: UnsafeRawBufferPointer, isArray: Bool) {
    (start, self.isArray) = (bytes.baseAddress, isArray)
  }

  consuming func finish() -> String { digest.finish() }

  /// An array that ends or breaks in its middle.
  mutating func fail(_ error: JSONSyntaxError, line: Int) {
    problems.append(ExampleProblem(line: line, id: "\(parser.prefix)line-\(line)", reason: "not valid JSON: \(error)"))
  }

  mutating func read(_ row: RowSplitter.Row) {
    // Counted only if the row becomes an example.
    var ignored = IgnoredKeys(parser.reader.ignoredKeys)
    do throws(ExampleProblem) {
      let example = try parser.example(of: row, folder: folder, ignored: &ignored)
      self.ignored.add(ignored)
      if let first = firstLines[ExactString(example.id)] {
        throw ExampleProblem(
          line: row.line, id: example.id,
          reason: "the id is taken by line \(first); ids must be unique, or set data.ids: line")
      }
      firstLines[ExactString(example.id)] = row.line
      // Lengths first, so that no two lists of examples make the same message.
      digest.update("\(example.id.utf8.count) \(row.bytes.count)\n\(example.id)")
      digest.update(row.bytes)
      if parser.reader.isForSplit { identities.append(identity(of: example, row)) }
      examples.append(example)
      rows.append(place(of: row))
    } catch {
      problems.append(error)
    }
  }

  private mutating func place(of row: RowSplitter.Row) -> RowPlace {
    var first = held?.count ?? 0
    if held != nil {
      held?.append(contentsOf: row.bytes)
    } else if let start, let address = row.bytes.baseAddress {
      first = address - start
    }
    return RowPlace(start: first, count: row.bytes.count, line: row.line, number: row.number)
  }

  /// An image is named as the row names it, so that a moved folder changes nothing; a row without images by its id or,
  /// where that is none or counts lines, by its bytes.
  private func identity(of example: Example, _ row: RowSplitter.Row) -> String {
    switch example.images.first?.address {
    case .file(let path):
      let root = (folder.path + "/").utf8
      let rest = path.text.utf8.dropFirst(path.text.utf8.starts(with: root) ? root.count : 0)
      return "image " + String(decoding: rest, as: UTF8.self)
    case .packed(let image): return "image " + image.name
    case .inline(let bytes): return "bytes \(SHA256.hex(bytes))"
    case nil:
      let name = String(decoding: example.id.utf8.dropFirst(parser.prefix.utf8.count), as: UTF8.self)
      return parser.reader.ids == .own && !name.hasSameBytes(as: row.name)
        ? "id \(name)" : "row \(SHA256.hex(row.bytes))"
    }
  }
}
