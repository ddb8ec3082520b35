// What can be wrong with a file of examples: the whole file, or single examples of it.
import Files

/// One example that cannot be used, and why.
package struct ExampleProblem: Error, Codable, Sendable, Equatable, CustomStringConvertible {
  /// Line in the file, from 1.
  package let line: Int
  /// The example's id, or `line-N` where it has none that could be read.
  package let id: String
  /// What is wrong, in one line.
  package let reason: String
  package init(line: Int, id: String, reason: String) {
    (self.line, self.id, self.reason) = (line, id, reason)
  }
  package var description: String { oneLine("line \(line) (\(id)): \(reason)") }
}

/// Why a file of examples was refused.
package enum DatasetError: Error, Sendable, Equatable, CustomStringConvertible {
  /// How many bad examples a description lists.
  static let listed = 5

  /// The file could not be opened or read.
  case unreadable(file: String, reason: String)
  /// Examples are bad and the policy is strict.
  case badExamples(file: String, problems: [ExampleProblem])
  /// A pack of rows and images cannot be used; its error, in one line.
  case pack(description: String)
  /// No example is left.
  case empty(file: String, problems: [ExampleProblem])
  /// A split leaves one side without an example.
  case split(file: String, examples: Int, empty: ExampleSplit.Side)

  package var description: String { oneLine(words) }

  private var words: String {
    switch self {
    case .unreadable(let file, let reason):
      return "\(file): cannot be read: \(reason)"
    case .pack(let description):
      return description
    case .badExamples(let file, let problems):
      return "\(file): \(problems.count) bad example\(problems.count == 1 ? "" : "s"): \(Self.list(problems)); "
        + "fix them or set data.bad_rows: skip"
    case .empty(let file, let problems) where problems.isEmpty:
      return "\(file): holds no examples; write one JSON object a line"
    case .split(let file, let examples, let empty):
      return
        "\(file): data.validation_fraction leaves none of \(examples) examples for \(empty.rawValue); set another "
        + "fraction or data.validation_seed, or name a file in data.validation"
    case .empty(let file, let problems):
      return "\(file): no usable example, \(problems.count) bad: \(Self.list(problems))"
    }
  }

  private static func list(_ problems: [ExampleProblem]) -> String {
    let rest = problems.count - listed
    return problems.prefix(listed).map(\.description).joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
  }
}
