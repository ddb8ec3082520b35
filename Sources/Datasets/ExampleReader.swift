// Reads a file of examples, JSON Lines, one JSON array or a pack, in one pass: splits rows, decodes, checks, digests.
import Digests
import Files
import Foundation

/// What to do when examples are bad.
package enum BadExamplePolicy: Sendable, Equatable {
  /// Refuse the file.
  case strict
  /// Leave them out and report them.
  case skip
}

/// What names an example.
package enum ExampleIDs: String, Sendable, CaseIterable {
  /// Its `id`, which must be unique and able to name a group of an HDF5 file; `line-N` where it has none.
  case own
  /// Its `id` with `/` as `_`, and the row's number: for public data sets, whose ids repeat.
  case line
}

/// The usable examples of a file, in its order, and what was wrong with the others.
package struct Dataset: Sendable, Equatable {
  package let examples: [Example]
  package let problems: [ExampleProblem]
  /// SHA-256 over the usable examples' ids and row bytes, in order; it does not depend on the file's path.
  package let digest: String
  /// Keys that were left out by name or by their `_`, and how often, in the order of their bytes.
  package let ignoredKeys: [(key: String, count: Int)]

  package static func == (a: Dataset, b: Dataset) -> Bool {
    a.examples == b.examples && a.problems == b.problems && a.digest.hasSameBytes(as: b.digest)
      && a.ignoredKeys.elementsEqual(b.ignoredKeys) { $0.key.hasSameBytes(as: $1.key) && $0.count == $1.count }
  }
}

/// Reads files of examples.
package struct ExampleReader: Sendable {
  /// Folder that relative image paths start from.
  package let imageRoot: String
  /// Whether images outside of that folder make an example bad; links and `..` are resolved first.
  package let confined: Bool
  package let policy: BadExamplePolicy
  package let ids: ExampleIDs
  /// Keys of rows that only annotate.
  package let ignoredKeys: [String]
  /// Longest row, in bytes; a longer one is a bad example and is not parsed.
  package let maxLineBytes: Int

  /// A reader whose examples' relative image paths start from `imageRoot`.
  package init(
    imageRoot: String = ".", confined: Bool = false, policy: BadExamplePolicy = .strict, ids: ExampleIDs = .own,
    ignoredKeys: [String] = [], maxLineBytes: Int = 64 << 20
  ) {
    precondition(maxLineBytes > 0, "a row needs room")
    (self.imageRoot, self.confined) = (imageRoot, confined)
    (self.policy, self.maxLineBytes) = (policy, maxLineBytes)
    (self.ids, self.ignoredKeys) = (ids, ignoredKeys)
  }

  /// Reads a regular file: rows, or a pack of rows and their images.
  package func read(_ path: String) throws(DatasetError) -> Dataset {
    guard ImagePack.isHDF5(path) else { return try read(text(of: path), name: path) }
    let (pack, rows): (ImagePack, [UInt8])
    do { (pack, rows) = try ImagePack.open(path) } catch { throw .pack(description: "\(error)") }
    return try read(Data(rows), name: path, folder: ImageFolder(imageRoot, confined: confined, pack: pack))
  }

  /// Reads a file of rows and finds their images: the text, and each image as rows write it and where its file is.
  func imageFiles(
    of path: String
  ) throws(DatasetError) -> (text: [UInt8], dataset: Dataset, images: [(name: String, path: String)]) {
    guard !ImagePack.isHDF5(path) else {
      throw .pack(description: oneLine("\(path): is an HDF5 file, not rows; give a file of rows"))
    }
    let data = try text(of: path)
    let folder = ImageFolder(imageRoot, confined: confined, collects: true)
    let dataset = try read(data, name: path, folder: folder)
    return (Array(data), dataset, folder.found ?? [])
  }

  private func text(of path: String) throws(DatasetError) -> Data {
    let data = try data(of: path)
    // JSON holds no zero byte. Where bad rows are left out, the rows in a pack whose first bytes are damaged would be
    // taken for loose ones.
    guard !data.prefix(64).contains(0) else {
      throw .unreadable(file: path, reason: "it is no text; give rows, or a pack whose beginning is not damaged")
    }
    return data
  }

  private func data(of path: String) throws(DatasetError) -> Data {
    do {
      let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
      // A pipe or device has no end that could be trusted.
      guard try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else {
        throw CocoaError(.fileReadUnsupportedScheme)
      }
      return try Data(contentsOf: url, options: .mappedIfSafe)
    } catch CocoaError.fileReadUnsupportedScheme {
      throw .unreadable(file: path, reason: "it is not a regular file")
    } catch {
      let reason = FileManager.default.fileExists(atPath: path) ? error.localizedDescription : "there is no such file"
      throw .unreadable(file: path, reason: reason)
    }
  }

  /// Reads a file's bytes; `name` names them in errors.
  package func read(_ data: Data, name: String) throws(DatasetError) -> Dataset {
    try read(data, name: name, folder: ImageFolder(imageRoot, confined: confined))
  }

  private func read(_ data: Data, name: String, folder: ImageFolder) throws(DatasetError) -> Dataset {
    var pass = Pass(reader: self, folder: folder)
    data.withUnsafeBytes { bytes in
      var rows = RowSplitter(bytes)
      do throws(JSONSyntaxError) {
        while let row = try rows.next() { pass.read(row) }
      } catch {
        pass.fail(error, line: rows.line)
      }
    }
    let (examples, problems, ignored) = (pass.examples, pass.problems, pass.ignored)
    if policy == .strict && !problems.isEmpty { throw .badExamples(file: name, problems: problems) }
    if examples.isEmpty { throw .empty(file: name, problems: problems) }
    let counts = ignored.counts.sorted { $0.key < $1.key }.map { (key: $0.key.text, count: $0.value) }
    return Dataset(examples: examples, problems: problems, digest: pass.finish(), ignoredKeys: counts)
  }
}

/// One pass over a file's rows.
private struct Pass: ~Copyable {
  let reader: ExampleReader
  var digest = SHA256()
  var firstLines: [ExactString: Int] = [:]
  var examples: [Example] = []
  var problems: [ExampleProblem] = []
  var ignored: IgnoredKeys
  let folder: ImageFolder

  init(reader: ExampleReader, folder: ImageFolder) {
    (self.reader, self.folder) = (reader, folder)
    ignored = IgnoredKeys(reader.ignoredKeys)
  }

  consuming func finish() -> String { digest.finish() }

  /// An array that ends or breaks in its middle.
  mutating func fail(_ error: JSONSyntaxError, line: Int) {
    problems.append(ExampleProblem(line: line, id: "line-\(line)", reason: "not valid JSON: \(error)"))
  }

  mutating func read(_ row: RowSplitter.Row) {
    do throws(ExampleProblem) {
      let example = try parse(row)
      if let first = firstLines[ExactString(example.id)] {
        throw ExampleProblem(
          line: row.line, id: example.id,
          reason: "the id is taken by line \(first); ids must be unique, or set data.ids: line")
      }
      firstLines[ExactString(example.id)] = row.line
      // Lengths first, so that no two lists of examples make the same message.
      digest.update("\(example.id.utf8.count) \(row.bytes.count)\n\(example.id)")
      digest.update(row.bytes)
      examples.append(example)
    } catch {
      problems.append(error)
    }
  }

  private mutating func parse(_ row: RowSplitter.Row) throws(ExampleProblem) -> Example {
    var id = row.name
    func problem(_ reason: String) -> ExampleProblem { ExampleProblem(line: row.line, id: id, reason: reason) }
    guard row.bytes.count <= reader.maxLineBytes else {
      throw problem(
        "the row has \(row.bytes.count) bytes, the limit is \(reader.maxLineBytes); give images as files")
    }
    let json: JSON
    do { json = try JSON(parsing: Array(row.bytes)) } catch { throw problem("not valid JSON: \(error)") }
    // Counted only if the row becomes an example.
    var ignored = IgnoredKeys(reader.ignoredKeys)
    do throws(BadExample) {
      if let own = Self.id(in: json), (try? Example.check(id: own)) != nil { id = own }
      let object = try RowObject(json, .row, at: "", ignored: &ignored)
      let own = try Example.id(of: object)
      let name =
        switch reader.ids {
        case .own: own ?? row.name
        case .line: own.map { Example.lineID($0, row.number) } ?? row.name
        }
      let example = try Example(object, id: name, line: row.line, root: folder, ignored: &ignored)
      self.ignored.add(ignored)
      return example
    } catch {
      throw problem(error.reason)
    }
  }

  /// The id of a row of which the rest may be bad.
  private static func id(in json: JSON) -> String? {
    guard case .object(let members) = json else { return nil }
    return switch members.first(where: { $0.key.hasSameBytes(as: "id") })?.value {
    case .string(let text): text
    case .integer(let number): String(number)
    default: nil
    }
  }
}
