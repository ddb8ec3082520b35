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

/// Reads files of examples.
package struct ExampleReader: Sendable {
  /// Folder that relative image paths start from.
  package var imageRoot: String
  /// Stands before each id, with a colon; empty where there is one file.
  package var name = ""
  /// Whether examples are named for a split; see `Dataset.identities`.
  var isForSplit = false
  /// Whether images outside of that folder make an example bad; links and `..` are resolved first.
  package let confined: Bool
  package let policy: BadExamplePolicy
  package let ids: ExampleIDs
  /// Keys of rows that only annotate.
  package let ignoredKeys: [String]
  /// A system message for conversations that have none.
  package let system: String?
  /// Longest row, in bytes; a longer one is a bad example and is not parsed.
  package let maxLineBytes: Int

  /// A reader whose examples' relative image paths start from `imageRoot`.
  package init(
    imageRoot: String = ".", confined: Bool = false, policy: BadExamplePolicy = .strict, ids: ExampleIDs = .own,
    ignoredKeys: [String] = [], system: String? = nil, maxLineBytes: Int = 64 << 20
  ) {
    precondition(maxLineBytes > 0, "a row needs room")
    (self.imageRoot, self.confined) = (imageRoot, confined)
    (self.policy, self.maxLineBytes) = (policy, maxLineBytes)
    (self.ids, self.ignoredKeys, self.system) = (ids, ignoredKeys, system)
  }

  /// Reads a regular file: rows, or a pack or tar archive of rows and their images.
  package func read(_ path: String) throws(DatasetError) -> Dataset {
    let (container, rows): (any ImageContainer, [UInt8])
    do {
      if ImagePack.isHDF5(path) {
        (container, rows) = try ImagePack.open(path)
      } else if TarArchive.isTar(path) {
        (container, rows) = try TarArchive.open(path)
      } else {
        return try read(text(of: path), name: path)
      }
    } catch let error as DatasetError { throw error } catch { throw .pack(description: "\(error)") }
    return try read(Data(rows), name: path, folder: ImageFolder(imageRoot, confined: confined, container: container))
  }

  /// Reads a file of rows and finds their images: the text, and each image as rows write it and where its file is.
  func imageFiles(
    of path: String
  ) throws(DatasetError) -> (text: [UInt8], dataset: Dataset, images: [(name: String, path: String)]) {
    guard !ImagePack.isHDF5(path) else {
      throw .pack(description: oneLine("\(path): is an HDF5 file, not rows; give a file of rows"))
    }
    guard !TarArchive.isTar(path) else {
      throw .pack(description: oneLine("\(path): is a tar archive, which holds its images; train on it as it is"))
    }
    let data = try text(of: path)
    if let format = Self.compression(of: data) {
      throw .unreadable(file: path, reason: "its rows are compressed; unpack them first (\(format.program))")
    }
    let folder = ImageFolder(imageRoot, confined: confined, collects: true)
    let dataset = try read(data, name: path, folder: folder)
    return (Array(data), dataset, folder.found ?? [])
  }

  private func text(of path: String) throws(DatasetError) -> Data {
    let data = try data(of: path)
    guard !GitLFSPointer.isWhole(data) else {
      throw .unreadable(file: path, reason: "it is a Git LFS pointer, not the file; run git lfs pull in its folder")
    }
    // JSON holds no zero byte. Where bad rows are left out, the rows in a pack whose first bytes are damaged would be
    // taken for loose ones.
    guard !data.prefix(64).contains(0) || data.starts(with: "PAR1".utf8) || Self.compression(of: data) != nil else {
      throw .unreadable(file: path, reason: "it is no text; give rows, or a pack whose beginning is not damaged")
    }
    return data
  }

  private static func compression(of data: Data) -> (name: String, program: String)? {
    data.withUnsafeBytes { bytes in compressedStream(bytes).map { type(of: $0).format } }
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

  /// Reads a file's bytes, also those of a gzip or zstd stream; `name` names them in errors.
  package func read(_ data: Data, name: String) throws(DatasetError) -> Dataset {
    try read(data, name: name, folder: ImageFolder(imageRoot, confined: confined))
  }

  private func read(_ data: Data, name: String, folder: ImageFolder) throws(DatasetError) -> Dataset {
    if data.starts(with: "PAR1".utf8) {
      throw .unreadable(file: name, reason: "it is a Parquet file; \(Self.conversion(name, "read_parquet"))")
    }
    var pass = Pass(reader: self, folder: folder)
    var failure: String?
    data.withUnsafeBytes { bytes in
      let text = RowText(bytes, maxRowBytes: maxLineBytes)
      guard !TarArchive.isHeader(text.window) else {
        failure = "it is a compressed tar archive; decompress it, since images are read from anywhere in it"
        return
      }
      var rows = RowSplitter(text)
      do throws(JSONSyntaxError) {
        while let row = try rows.next() {
          pass.read(row)
          // Nothing is said of the lines of a table, however many it has.
          if rows.looksLikeTable, pass.examples.isEmpty, pass.problems.count >= 100 { break }
        }
      } catch {
        pass.fail(error, line: rows.line)
      }
      failure = text.failure
      if failure == nil, pass.examples.isEmpty, rows.looksLikeTable {
        failure = "its first line is no JSON; if it is CSV, \(Self.conversion(name, "read_csv"))"
      }
    }
    if let failure { throw .unreadable(file: name, reason: failure) }
    let (examples, problems, ignored) = (pass.examples, pass.problems, pass.ignored)
    if policy == .strict && !problems.isEmpty { throw .badExamples(file: name, problems: problems) }
    if examples.isEmpty { throw .empty(file: name, problems: problems) }
    let counts = ignored.counts.sorted { $0.key < $1.key }.map { (key: $0.key.text, count: $0.value) }
    let identities = pass.identities
    return Dataset(
      examples: examples, problems: problems, digest: pass.finish(), ignoredKeys: counts,
      parts: [DatasetPart(name: self.name, examples: examples.indices)], identities: identities)
  }

  /// The command that makes rows of a table.
  private static func conversion(_ name: String, _ function: String) -> String {
    "convert it: python3 -c \"import sys, pandas; pandas.\(function)(sys.argv[1]).to_json(sys.argv[2], "
      + "orient='records', lines=True)\" \(quoted(name)) rows.jsonl"
  }
}

/// One pass over a file's rows.
private struct Pass: ~Copyable {
  let reader: ExampleReader
  var digest = SHA256()
  var firstLines: [ExactString: Int] = [:]
  var examples: [Example] = []
  var problems: [ExampleProblem] = []
  /// What names each example for a split; see `Dataset.identities`.
  var identities: [String] = []
  var ignored: IgnoredKeys
  let folder: ImageFolder
  /// Before ids.
  let prefix: String

  init(reader: ExampleReader, folder: ImageFolder) {
    (self.reader, self.folder) = (reader, folder)
    prefix = reader.name.isEmpty ? "" : reader.name + ":"
    ignored = IgnoredKeys(reader.ignoredKeys)
  }

  consuming func finish() -> String { digest.finish() }

  /// An array that ends or breaks in its middle.
  mutating func fail(_ error: JSONSyntaxError, line: Int) {
    problems.append(ExampleProblem(line: line, id: "\(prefix)line-\(line)", reason: "not valid JSON: \(error)"))
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
      if reader.isForSplit { identities.append(identity(of: example, row)) }
      examples.append(example)
    } catch {
      problems.append(error)
    }
  }

  private mutating func parse(_ row: RowSplitter.Row) throws(ExampleProblem) -> Example {
    var id = prefix + row.name
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
      if let own = Self.id(in: json), (try? Example.check(id: own)) != nil { id = prefix + own }
      let object = try RowObject(json, .row, at: "", ignored: &ignored)
      let own = try Example.id(of: object)
      let name =
        switch reader.ids {
        case .own: own ?? row.name
        case .line: own.map { Example.lineID($0, row.number) } ?? row.name
        }
      var example = try Example(
        object, id: prefix + name, line: row.line, root: folder, system: reader.system, ignored: &ignored)
      if !reader.name.isEmpty, example.groups["file"] == nil { example.groups["file"] = reader.name }
      self.ignored.add(ignored)
      return example
    } catch {
      throw problem(error.reason)
    }
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
      let name = String(decoding: example.id.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
      return reader.ids == .own && !name.hasSameBytes(as: row.name) ? "id \(name)" : "row \(SHA256.hex(row.bytes))"
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
