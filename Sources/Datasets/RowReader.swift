// Reads a JSON Lines file of rows in one pass: splits lines, decodes, judges, digests.
import Digests
import Foundation

/// What to do when rows are bad.
public enum BadRowPolicy: Sendable, Equatable {
  /// Refuse the file.
  case strict
  /// Leave them out and report them.
  case skip
}

/// The usable rows of a file, in its order, and what was wrong with the others.
public struct Dataset: Sendable, Equatable {
  public let rows: [Row]
  public let problems: [RowProblem]
  /// SHA-256 over the usable rows' ids and line bytes, in order; it does not depend on where the file lies.
  public let digest: String
}

/// Reads files of rows.
public struct RowReader: Sendable {
  /// Folder that relative image paths start from.
  public let imageRoot: String
  public let policy: BadRowPolicy
  /// Longest line, in bytes; a longer one is a bad row and is not parsed.
  public let maxLineBytes: Int

  /// A reader whose rows' relative image paths start from `imageRoot`.
  public init(imageRoot: String = ".", policy: BadRowPolicy = .strict, maxLineBytes: Int = 64 << 20) {
    precondition(maxLineBytes > 0, "a line needs room")
    (self.imageRoot, self.policy, self.maxLineBytes) = (imageRoot, policy, maxLineBytes)
  }

  /// Reads a regular file.
  public func read(_ path: String) throws(DatasetError) -> Dataset {
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
  public func read(_ data: Data, name: String) throws(DatasetError) -> Dataset {
    var pass = Pass(reader: self)
    data.withUnsafeBytes { pass.run($0) }
    let (rows, problems) = (pass.rows, pass.problems)
    if policy == .strict && !problems.isEmpty { throw .badRows(file: name, problems: problems) }
    if rows.isEmpty { throw .empty(file: name, problems: problems) }
    return Dataset(rows: rows, problems: problems, digest: pass.finish())
  }
}

/// One pass over a file's bytes.
private struct Pass: ~Copyable {
  let reader: RowReader
  let decoder = JSONDecoder()
  var digest = SHA256()
  var firstLines: [String: Int] = [:]
  var rows: [Row] = []
  var problems: [RowProblem] = []

  init(reader: RowReader) { self.reader = reader }

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
    do throws(RowProblem) {
      let row = try parse(text, line: line)
      if let first = firstLines[row.id] {
        throw RowProblem(line: line, id: row.id, reason: "the id is taken by line \(first); ids must be unique")
      }
      firstLines[row.id] = line
      // Lengths first, so that no two lists of rows make the same message.
      digest.update("\(row.id.utf8.count) \(text.count)\n\(row.id)")
      digest.update(text)
      rows.append(row)
    } catch {
      problems.append(error)
    }
  }

  private func parse(_ text: UnsafeRawBufferPointer, line: Int) throws(RowProblem) -> Row {
    let unnamed = "line-\(line)"
    guard text.count <= reader.maxLineBytes else {
      let reason = "the line has \(text.count) bytes, the limit is \(reader.maxLineBytes); give images as files"
      throw RowProblem(line: line, id: unnamed, reason: reason)
    }
    let data = Data(text)
    do {
      return try Row(decoder.decode(JSONRow.self, from: data), line: line, root: reader.imageRoot)
    } catch {
      var id = unnamed
      if let name = try? decoder.decode(JSONRowName.self, from: data).id?.text, (try? Row.check(id: name)) != nil {
        id = name
      }
      throw RowProblem(line: line, id: id, reason: reason(of: error, in: data))
    }
  }
}

/// What is wrong with JSON, in one line: a row's own fault, the decoder's with the place in the document, or the
/// parser's with the column.
public func reason(of error: any Error, in data: Data) -> String {
  switch error {
  case let fault as BadRow: return fault.reason
  case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
    return path(context.codingPath, context.debugDescription)
  case DecodingError.keyNotFound(let key, let context):
    return path(context.codingPath, "has no \"\(key.stringValue)\"")
  default:
    // The typed decoder does not say where JSON is broken; the untyped one does.
    do {
      _ = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
    } catch {
      let words = (error as NSError).userInfo["NSDebugDescription"] as? String
      return "not valid JSON: \(words ?? error.localizedDescription)"
    }
    guard case DecodingError.dataCorrupted(let context) = error else { return error.localizedDescription }
    if context.codingPath.isEmpty {
      return "a number has a fraction, or is too large, where a whole number is expected"
    }
    return path(context.codingPath, context.debugDescription)
  }
}

/// A fault behind its place in the document, written as in code: `messages[0].content: ...`.
private func path(_ keys: [any CodingKey], _ fault: String) -> String {
  let place = keys.reduce(into: "") { path, key in
    if let index = key.intValue {
      path += "[\(index)]"
    } else {
      path += (path.isEmpty ? "" : ".") + key.stringValue
    }
  }
  return place.isEmpty ? fault : "\(place): \(fault)"
}
