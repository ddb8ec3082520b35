// Reads a file of examples, JSON Lines, one JSON array or a pack, in one pass: splits rows, decodes, checks, digests.
// What the pass does with a row is in RowPass.
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
  package func read(_ path: String) throws(DatasetError) -> Dataset { try read(open(path)) }

  /// Opens such a file; of a pack or archive, the list of its images is read and checked.
  func open(_ path: String) throws(DatasetError) -> RowSource {
    do {
      if ImagePack.isHDF5(path) {
        let (pack, rows) = try ImagePack.open(path)
        return RowSource(path: path, text: .read(rows), container: pack)
      }
      if TarArchive.isTar(path) {
        let (archive, rows) = try TarArchive.open(path)
        return RowSource(path: path, text: .read(rows), container: archive)
      }
    } catch { throw .pack(description: "\(error)") }
    return RowSource(path: path, text: .mapped(try text(of: path)), container: nil)
  }

  func read(_ source: RowSource) throws(DatasetError) -> Dataset {
    try read(
      source.text, name: source.path,
      folder: ImageFolder(imageRoot, confined: confined, container: source.container))
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
    if let format = RowBytes.mapped(data).compression {
      throw .unreadable(file: path, reason: "its rows are compressed; unpack them first (\(format.program))")
    }
    let folder = ImageFolder(imageRoot, confined: confined, collects: true)
    let dataset = try read(.mapped(data), name: path, folder: folder)
    return (Array(data), dataset, folder.found ?? [])
  }

  private func text(of path: String) throws(DatasetError) -> Data {
    let data = try data(of: path)
    guard !GitLFSPointer.isWhole(data) else {
      throw .unreadable(file: path, reason: "it is a Git LFS pointer, not the file; run git lfs pull in its folder")
    }
    // JSON holds no zero byte. Where bad rows are left out, the rows in a pack whose first bytes are damaged would be
    // taken for loose ones.
    guard !data.prefix(64).contains(0) || data.starts(with: "PAR1".utf8) || RowBytes.mapped(data).compression != nil
    else {
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

  /// Reads a file's bytes, also those of a gzip or zstd stream; `name` names them in errors.
  package func read(_ data: Data, name: String) throws(DatasetError) -> Dataset {
    try read(.mapped(data), name: name, folder: ImageFolder(imageRoot, confined: confined))
  }

  private func read(_ data: RowBytes, name: String, folder: ImageFolder) throws(DatasetError) -> Dataset {
    if data.withUnsafeBytes({ $0.starts(with: "PAR1".utf8) }) {
      throw .unreadable(file: name, reason: "it is a Parquet file; \(Self.conversion(name, "read_parquet"))")
    }
    var pass = RowPass(RowParser(self), folder: folder, isTextHeld: data.compression == nil)
    var failure: String?
    data.withUnsafeBytes { bytes in
      let text = RowText(bytes, maxRowBytes: maxLineBytes)
      guard !TarArchive.isHeader(text.window) else {
        failure = "it is a compressed tar archive; decompress it, since images are read from anywhere in it"
        return
      }
      var rows = RowSplitter(text)
      pass.begin(bytes, isArray: rows.isArray)
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
    let (identities, rows) = (pass.identities, pass.rows)
    let held = HeldRows(
      RowParser(self), text: pass.held ?? data.inMemory, isArray: pass.isArray, container: folder.container)
    return Dataset(
      examples: examples, problems: problems, digest: pass.finish(), ignoredKeys: counts,
      parts: [DatasetPart(name: self.name, examples: examples.indices)], identities: identities, rows: rows,
      table: RowTable([held]))
  }

  /// The command that makes rows of a table.
  private static func conversion(_ name: String, _ function: String) -> String {
    "convert it: python3 -c \"import sys, pandas; pandas.\(function)(sys.argv[1]).to_json(sys.argv[2], "
      + "orient='records', lines=True)\" \(quoted(name)) rows.jsonl"
  }
}
