// Reads a JSON Lines file of examples in one pass: splits lines, decodes, checks, digests.
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

/// The usable examples of a file, in its order, and what was wrong with the others.
package struct Dataset: Sendable, Equatable {
  package let examples: [Example]
  package let problems: [ExampleProblem]
  /// SHA-256 over the usable examples' ids and line bytes, in order; it does not depend on the file's path.
  package let digest: String
}

/// Reads files of examples.
package struct ExampleReader: Sendable {
  /// Folder that relative image paths start from.
  package let imageRoot: String
  package let policy: BadExamplePolicy
  /// Longest line, in bytes; a longer one is a bad example and is not parsed.
  package let maxLineBytes: Int

  /// A reader whose examples' relative image paths start from `imageRoot`.
  package init(imageRoot: String = ".", policy: BadExamplePolicy = .strict, maxLineBytes: Int = 64 << 20) {
    precondition(maxLineBytes > 0, "a line needs room")
    (self.imageRoot, self.policy, self.maxLineBytes) = (imageRoot, policy, maxLineBytes)
  }

  /// Reads a regular file.
  package func read(_ path: String) throws(DatasetError) -> Dataset {
    let data: Data
    do {
      let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
      // A pipe or device has no end that could be trusted.
      guard try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else {
        throw CocoaError(.fileReadUnsupportedScheme)
      }
      data = try Data(contentsOf: url, options: .mappedIfSafe)
    } catch CocoaError.fileReadUnsupportedScheme {
      throw .unreadable(file: path, reason: "it is not a regular file")
    } catch {
      let reason = FileManager.default.fileExists(atPath: path) ? error.localizedDescription : "there is no such file"
      throw .unreadable(file: path, reason: reason)
    }
    return try read(data, name: path)
  }

  /// Reads a file's bytes; `name` names them in errors.
  package func read(_ data: Data, name: String) throws(DatasetError) -> Dataset {
    var pass = Pass(reader: self)
    data.withUnsafeBytes { pass.run($0) }
    let (examples, problems) = (pass.examples, pass.problems)
    if policy == .strict && !problems.isEmpty { throw .badExamples(file: name, problems: problems) }
    if examples.isEmpty { throw .empty(file: name, problems: problems) }
    return Dataset(examples: examples, problems: problems, digest: pass.finish())
  }
}

/// One pass over a file's bytes.
private struct Pass: ~Copyable {
  let reader: ExampleReader
  let decoder = JSONDecoder()
  var digest = SHA256()
  var firstLines: [String: Int] = [:]
  var examples: [Example] = []
  var problems: [ExampleProblem] = []

  init(reader: ExampleReader) { self.reader = reader }

  consuming func finish() -> String { digest.finish() }

  mutating func run(_ bytes: UnsafeRawBufferPointer) {
    let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    var start = bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0
    var line = 0
    while start < bytes.count {
      line += 1
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      let length = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
      read(UnsafeRawBufferPointer(rebasing: rest[..<length]), line: line)
      start += length + 1
    }
  }

  private mutating func read(_ bytes: UnsafeRawBufferPointer, line: Int) {
    let blanks: [UInt8] = [0x20, 0x09, 0x0D]
    guard let last = bytes.lastIndex(where: { !blanks.contains($0) }) else { return }
    let text = UnsafeRawBufferPointer(rebasing: bytes[...last])
    do throws(ExampleProblem) {
      let example = try parse(text, line: line)
      if let first = firstLines[example.id] {
        throw ExampleProblem(line: line, id: example.id, reason: "the id is taken by line \(first); ids must be unique")
      }
      firstLines[example.id] = line
      // Lengths first, so that no two lists of examples make the same message.
      digest.update("\(example.id.utf8.count) \(text.count)\n\(example.id)")
      digest.update(text)
      examples.append(example)
    } catch {
      problems.append(error)
    }
  }

  private func parse(_ text: UnsafeRawBufferPointer, line: Int) throws(ExampleProblem) -> Example {
    let unnamed = "line-\(line)"
    guard text.count <= reader.maxLineBytes else {
      let reason = "the line has \(text.count) bytes, the limit is \(reader.maxLineBytes); give images as files"
      throw ExampleProblem(line: line, id: unnamed, reason: reason)
    }
    let data = Data(text)
    do {
      return try Example(decoder.decode(JSONExample.self, from: data), line: line, root: reader.imageRoot)
    } catch {
      var id = unnamed
      if let name = try? decoder.decode(JSONExampleName.self, from: data).id?.text,
        (try? Example.check(id: name)) != nil
      {
        id = name
      }
      throw ExampleProblem(line: line, id: id, reason: (error as? BadExample)?.reason ?? jsonProblem(error, in: data))
    }
  }
}
