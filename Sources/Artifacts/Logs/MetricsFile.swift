// metrics.jsonl: one line per step and one per validation, in a run's checkpoint folder.
import Files
import Foundation
import Glibc

/// One line of metrics.jsonl; docs/formats.md explains the keys.
package struct MetricsEntry: Codable, Sendable, Equatable {
  package var step: Int
  package var epoch: Int?
  package var loss: Double?
  package var learning_rate: Double?
  package var gradient_norm: Double?
  package var tokens: Int?
  package var rows: Int?
  package var compute_seconds: Double?
  package var reduce_seconds: Double?
  package var rows_per_second: Double?
  package var tokens_per_second: Double?
  package var tokens_per_second_per_core: Double?
  package var utilization: Double?
  package var validation_loss: Double?
  package var validation_rows: Int?
  package var validation_tokens: Int?
  /// Examples that were answered, and the metric of the answers that the run asks for.
  package var validation_answers: Int?
  package var validation_exact_match: Double?
  package var validation_point_in_box: Double?
  package var validation_iou: Double?
  package var validation_score: Double?
  /// The loss of each file where there are several, as `validation_loss/NAME`; written and never read back.
  package var validationLosses: [FileLoss] = []

  package init(step: Int) { self.step = step }

  private enum CodingKeys: String, CodingKey {
    case step, epoch, loss, learning_rate, gradient_norm, tokens, rows, compute_seconds, reduce_seconds
    case rows_per_second, tokens_per_second, tokens_per_second_per_core, utilization
    case validation_loss, validation_rows, validation_tokens
    case validation_answers, validation_exact_match, validation_point_in_box, validation_iou, validation_score
  }
}

/// The validation loss of the examples of one file among several.
package struct FileLoss: Sendable, Equatable {
  package let name: String
  package let loss: Double
  package init(name: String, loss: Double) { (self.name, self.loss) = (name, loss) }
}

/// A line of the file: an entry with the losses of its files beside its other keys.
private struct MetricsLine: Encodable {
  let entry: MetricsEntry

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    try entry.encode(to: encoder)
    var container = encoder.container(keyedBy: Name.self)
    for file in entry.validationLosses {
      try container.encode(file.loss, forKey: Name(stringValue: "validation_loss/\(file.name)"))
    }
  }
}

/// The file, open for more lines.
package final class MetricsFile {
  package static let name = "metrics.jsonl"

  private let path: String
  private let file: FileHandle

  /// Opens a folder's file for a run that goes on after step `step`. Its whole lines up to there stay, byte for byte,
  /// in the order of steps; later ones are dropped, since the run repeats those steps.
  /// - Parameters:
  ///   - history: what the checkpoint knows of the steps up to there. An entry is written where the file has none with
  ///     that step's loss, or validation loss.
  ///   - validationRepeats: whether the validation of step `step` is still to be made.
  /// - Throws: `FileError`.
  package init(
    directory: String, after step: Int, history: [MetricsEntry] = [], validationRepeats: Bool = false
  ) throws(FileError) {
    path = "\(directory)/\(Self.name)"
    let data = step > 0 ? try earlierLines(path) : Data()
    var lines: [Line] = []
    var seen: Set<Line.Key> = []
    func keep(_ entry: MetricsEntry, _ text: Data) {
      let line = Line(entry, text)
      guard line.key.isOther || seen.insert(line.key).inserted else { return }
      lines.append(line)
    }
    for text in data.split(separator: UInt8(ascii: "\n")) {
      guard let entry = try? JSONDecoder().decode(MetricsEntry.self, from: text), entry.step <= step,
        !(validationRepeats && entry.step == step && entry.validation_loss != nil)
      else { continue }
      keep(entry, text)
    }
    for entry in history where entry.step <= step { try keep(entry, Self.text(of: entry, in: path)) }
    let ordered = lines.enumerated().sorted { ($0.element.key, $0.offset) < ($1.element.key, $1.offset) }
    try writeAtomically(Data(ordered.map { $0.element.text + Data("\n".utf8) }.joined()), to: path)
    do {
      file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      _ = try file.seekToEnd()
    } catch {
      throw FileError.unwritable(path, cause: error)
    }
  }

  /// A line and its place among the others: a step's loss stands before its validation.
  private struct Line {
    struct Key: Hashable, Comparable {
      let step, kind: Int
      /// Neither a step's loss nor a validation's: of which there may be any number.
      var isOther: Bool { kind == 2 }
      static func < (a: Self, b: Self) -> Bool { (a.step, a.kind) < (b.step, b.kind) }
    }

    let key: Key
    let text: Data

    init(_ entry: MetricsEntry, _ text: Data) {
      key = Key(step: entry.step, kind: entry.loss != nil ? 0 : entry.validation_loss != nil ? 1 : 2)
      self.text = text
    }
  }

  private static func text(of entry: MetricsEntry, in path: String) throws(FileError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    do { return try encoder.encode(MetricsLine(entry: entry)) } catch { throw FileError.unwritable(path, cause: error) }
  }

  /// Adds a line in one write.
  /// - Throws: `FileError`.
  package func append(_ entry: MetricsEntry) throws(FileError) {
    let line = try Self.text(of: entry, in: path) + Data("\n".utf8)
    do {
      try file.write(contentsOf: line)
    } catch {
      throw FileError.unwritable(path, cause: error)
    }
  }
}

/// What a log has from earlier starts; nothing where there is none.
/// - Throws: `FileError` for one that cannot be read, whose lines would be lost.
func earlierLines(_ path: String) throws(FileError) -> Data {
  var status = stat()
  if stat(path, &status) != 0, errno == ENOENT { return Data() }
  do {
    return try Data(contentsOf: URL(fileURLWithPath: path))
  } catch {
    throw FileError(path, "cannot be read", remedy: "move it away to go on without its lines", cause: error)
  }
}
