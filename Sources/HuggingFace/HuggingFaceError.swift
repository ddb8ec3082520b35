// The one error type of this module: each case prints as one line that states where, what and how to fix it.
import Files

/// Why a file of a Hugging Face model folder cannot be used.
package enum HuggingFaceError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file cannot be opened, mapped or is larger than any valid file of its kind.
  case unreadable(file: String, reason: String)
  /// What `git clone` without Git LFS leaves in a file's place.
  case gitLFSPointer(file: String)
  /// The bytes break the file's format; `position` states where (a byte offset, a line, a key).
  case malformed(file: String, position: String, problem: String)
  /// A key is missing, of the wrong type or out of range.
  case badValue(file: String, key: String, problem: String)
  /// The file is valid and asks for something that this program does not support.
  case unsupported(file: String, feature: String, supported: String)
  /// The checkpoint has no tensor of this name.
  case missingTensor(name: String, checkpoint: String)
  /// config.json does not tie the head to the embedding, and the checkpoint has none.
  case missingHead(checkpoint: String)
  /// A tensor has another shape or element type than the configuration asks for.
  case tensorMismatch(name: String, file: String, expected: String, found: String)
  /// A chat template cannot be parsed or rendered.
  case template(file: String, line: Int, problem: String)
  /// A run gives a template a variable that changes nothing, or that is not the run's.
  case templateVariable(file: String, name: String, problem: String)

  /// One line, whatever a hostile file has for names.
  package var description: String { oneLine(text) }

  private var text: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(file): cannot be read: \(reason); check the path and that the download is complete"
    case .gitLFSPointer(let file):
      "\(file): is a Git LFS pointer, not the file itself; run git lfs pull in its folder"
    case .malformed(let file, let position, let problem):
      "\(file): \(position): \(problem); the file is damaged or incomplete, fetch it again"
    case .badValue(let file, let key, let problem):
      "\(file): \(key): \(problem); correct this key"
    case .unsupported(let file, let feature, let supported):
      "\(file): \(feature) is not supported; use \(supported)"
    case .missingTensor(let name, let checkpoint):
      "\(checkpoint): no tensor \(name); the checkpoint is incomplete or of another model"
    case .missingHead(let checkpoint):
      "\(checkpoint): no tensor lm_head.weight, and config.json has tie_word_embeddings false; set tie_word_embeddings "
        + "to true in config.json if the head is the embedding, or add lm_head.weight to the weights"
    case .tensorMismatch(let name, let file, let expected, let found):
      "\(file): tensor \(name): expected \(expected), found \(found); config.json and weights do not belong together"
    case .template(let file, let line, let problem):
      "\(file): line \(line): \(Self.cut(problem)); fix the chat template"
    case .templateVariable(let file, let name, let problem):
      "\(file): the variable \(name) \(problem); take it out of model.template (generate: --template)"
    }
  }

  /// A name or message of a template may be of any length.
  private static func cut(_ text: String) -> String {
    let limit = 400
    guard let end = text.unicodeScalars.index(text.startIndex, offsetBy: limit, limitedBy: text.endIndex),
      end < text.endIndex
    else { return text }
    return String(text.unicodeScalars[..<end]) + "\u{2026}"
  }
}
