// Variables of the chat template as a run file states them: a mapping of names to true, false, whole numbers and texts.
import HuggingFace

extension TemplateVariables: Value {
  static var expectation: String {
    "names with true, false, a whole number or a text, as {enable_thinking: false}; quote a text that looks like a number"
  }

  init?(_ scalar: Scalar, folder: String) { nil }

  init?(mapping: [(key: String, value: Scalar)]) {
    let values = mapping.compactMap { entry in
      TemplateVariables.Value(entry.value).map { (name: entry.key, value: $0) }
    }
    guard values.count == mapping.count else { return nil }
    self.init(values)
  }

  var yaml: String {
    let entries = values.map { name, value in
      let text =
        switch value {
        case .bool(let value): value.yaml
        case .integer(let value): value.yaml
        case .text(let text): doubleQuoted(text)
        }
      return "\(doubleQuoted(name)): \(text)"
    }
    return "{\(entries.joined(separator: ", "))}"
  }
}

extension TemplateVariables.Value {
  /// What programs that read YAML take for a number or Boolean is no text here, unless it is quoted.
  private static let ambiguous: Set = ["yes", "no", "on", "off", "y", "n", "true", "false"]

  fileprivate init?(_ scalar: Scalar) {
    if let value = Bool(scalar, folder: "") {
      self = .bool(value)
    } else if let value = Int(scalar, folder: "") {
      self = .integer(value)
    } else {
      let text = scalar.text
      let isNumber = text.utf8.first.map { "0123456789+-.".utf8.contains($0) } ?? false
      guard scalar.quoted || (!isNumber && !Self.ambiguous.contains(text.lowercased())) else { return nil }
      self = .text(text)
    }
  }
}
