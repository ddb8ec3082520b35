// The file of answers to rows' prompts, and the file that keeps those of a prediction which is not over.
import Datasets
import Digests
import Files
import Foundation
import Glibc

/// One line of a file of answers.
package struct Reply: Codable, Sendable, Equatable {
  package var id: String
  package var group: [String: String]?
  package var prompt: String
  package var prediction: String
  package var finished: Bool
  /// The row's own answer; nil where it has none.
  package var reference: String?

  package init(_ example: Example, _ answer: ExampleResult.Answer) {
    id = example.id
    group = example.groups.isEmpty ? nil : example.groups
    (prompt, prediction, finished) = (answer.prompt, answer.prediction, answer.finished)
    reference = answer.reference.isEmpty ? nil : answer.reference
  }
}

/// Answers as they come in: kept beside the file that gets them all, so that another start goes on.
///
/// The first line states what they are the answers of, each other one is a `Reply`. A line that a kill cut is left out.
package struct KeptReplies {
  private struct Header: Codable, Equatable { var predict: String }

  /// Largest file that is read, in bytes.
  private static let maximumBytes = 1 << 30
  package let path: String
  private let identity: String
  /// Whether the file is this start's: without what a kill may have cut.
  private var isOwn = false
  /// By the row's id.
  package private(set) var replies: [ExactString: Reply] = [:]

  /// Reads what an earlier start has kept.
  /// - Parameters:
  ///   - output: the file that gets all answers.
  ///   - identity: of everything that answers depend on.
  /// - Throws: `FileError` for a file of other answers, or one that cannot be read.
  package init(beside output: String, identity: String) throws(FileError) {
    path = EvaluationInterrupted.file(beside: output)
    self.identity = identity
    guard try isThere(path) else { return }
    var lines = try readFile(path, maximumBytes: Self.maximumBytes).split(separator: UInt8(ascii: "\n"))[...]
    let header = lines.popFirst().flatMap { try? JSONDecoder().decode(Header.self, from: Data($0)) }
    guard header == Header(predict: identity) else {
      throw FileError(
        path, "keeps answers of other rows, another model or other options",
        remedy: "move it away, or name another --output")
    }
    for line in lines {
      guard let reply = try? JSONDecoder().decode(Reply.self, from: Data(line)) else { continue }
      replies[ExactString(reply.id)] = reply
    }
  }

  /// Adds answers, to the file too, where they last through a crash.
  package mutating func keep(_ new: [Reply]) throws(FileError) {
    if new.isEmpty { return }
    if !isOwn {
      try writeAtomically(Self.lines([Header(predict: identity)]) + Self.lines(Array(replies.values)), to: path)
      isOwn = true
    }
    for reply in new { replies[ExactString(reply.id)] = reply }
    let descriptor = uninterrupted { open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC) }
    guard descriptor >= 0 else { throw .unwritable(path, cause: SystemError.last("open")) }
    defer { close(descriptor) }
    guard try Self.lines(new).withUnsafeBytes({ writeAll($0, to: descriptor) }),
      uninterrupted({ fsync(descriptor) }) == 0
    else { throw .unwritable(path, cause: SystemError.last("write")) }
  }

  /// Writes the answers of all examples, in their order, and removes what was kept.
  package func finish(_ examples: [Example], to output: String) throws(FileError) {
    try writeAtomically(Self.lines(examples.compactMap { replies[ExactString($0.id)] }), to: output)
    unlink(path)
  }

  private static func lines(_ values: [some Encodable]) throws(FileError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var text = Data()
    do {
      for value in values { text += try encoder.encode(value) + Data("\n".utf8) }
    } catch { throw FileError("answers", "cannot be written", cause: error) }
    return text
  }
}
