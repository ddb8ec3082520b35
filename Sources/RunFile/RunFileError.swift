// What can be wrong with a run file or with an override of it.
import Files

/// Why a run was refused; `place` is `run.yaml:line:column`, or the `--set` that gave it.
package enum RunFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file could not be read, or is no text of a reasonable size.
  case unreadable(file: String, reason: String)
  /// Not YAML, or YAML that a run file does not need.
  case syntax(place: String, problem: String)
  /// A `--set` that is not `key.path=value`.
  case override(text: String, problem: String)
  /// `meant` says which key was probably meant.
  case unknownKey(place: String, key: String, meant: String)
  case duplicateKey(place: String, key: String)
  /// A value of the wrong type or out of range.
  case value(place: String, key: String, value: String, expected: String)
  case missing(file: String, key: String, expected: String)
  /// Keys that do not go together.
  case conflict(place: String, keys: [String], problem: String)

  package var description: String { oneLine(words) }

  private var words: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .syntax(let place, let problem): "\(place): \(problem)"
    case .override(let text, let problem): "--set \(text): \(problem)"
    case .unknownKey(let place, let key, let meant): "\(place): unknown key \(key); \(meant)"
    case .duplicateKey(let place, let key): "\(place): key \(key) is given twice; keep one"
    case .value(let place, let key, let value, let expected): "\(place): \(key) is \(value), expected \(expected)"
    case .missing(let file, let key, let expected): "\(file): \(key) is missing, expected \(expected)"
    case .conflict(let place, let keys, let problem): "\(place): \(keys.joined(separator: ", ")): \(problem)"
    }
  }
}
