// Variables that a run gives its chat template, such as `enable_thinking`.
import Files

/// Names and values, each name once, in the order of their bytes.
package struct TemplateVariables: Sendable, Equatable {
  /// What a variable can be.
  package enum Value: Sendable, Equatable {
    case bool(Bool)
    case integer(Int)
    case text(String)

    /// The value as JSON.
    package var json: JSON {
      switch self {
      case .bool(let value): .bool(value)
      case .integer(let value): .integer(value)
      case .text(let text): .string(text)
      }
    }

    /// A value from JSON; nil for null, numbers with a fraction, lists and objects.
    package init?(_ json: JSON) {
      switch json {
      case .bool(let value): self = .bool(value)
      case .integer(let value): self = .integer(value)
      case .string(let text): self = .text(text)
      case .null, .number, .array, .object: return nil
      }
    }

    package static func == (a: Value, b: Value) -> Bool {
      switch (a, b) {
      case (.bool(let a), .bool(let b)): a == b
      case (.integer(let a), .integer(let b)): a == b
      case (.text(let a), .text(let b)): a.hasSameBytes(as: b)
      default: false
      }
    }
  }

  package let values: [(name: String, value: Value)]
  /// Longest name, in bytes.
  private static let longestName = 100

  /// No variables.
  package init() { values = [] }

  /// Nil where a name is given twice or is none that a template could read.
  package init?(_ values: [(name: String, value: Value)]) {
    let sorted = values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    guard sorted.allSatisfy({ Self.isName($0.name) }),
      !zip(sorted, sorted.dropFirst()).contains(where: { $0.name.hasSameBytes(as: $1.name) })
    else { return nil }
    self.values = sorted
  }

  /// Nil for what is no object of variables.
  package init?(_ json: JSON) {
    guard case .object(let members) = json else { return nil }
    let values = members.compactMap { member in Value(member.value).map { (name: member.key, value: $0) } }
    guard values.count == members.count else { return nil }
    self.init(values)
  }

  private static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= longestName else { return false }
    func isLetter(_ byte: UInt8) -> Bool {
      (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || byte == UInt8(ascii: "_")
    }
    return isLetter(first) && text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
  }

  package var isEmpty: Bool { values.isEmpty }

  /// The value of a variable.
  package subscript(name: String) -> Value? { values.first { $0.name.hasSameBytes(as: name) }?.value }

  package var json: JSON { .object(values.map { JSON.Member(key: $0.name, value: $0.value.json) }) }

  /// One text for the same variables: `{"enable_thinking":false}`.
  package var canonical: String { json.canonical }

  package static func == (a: TemplateVariables, b: TemplateVariables) -> Bool {
    a.values.elementsEqual(b.values) { $0.name.hasSameBytes(as: $1.name) && $0.value == $1.value }
  }
}

extension TemplateVariables.Value: Codable {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .text(let text): try container.encode(text)
    }
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else {
      self = .text(try container.decode(String.self))
    }
  }
}

/// As an object of JSON. A dictionary's keys stay as they are where an encoder changes the keys of types.
extension TemplateVariables: Codable {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Dictionary(uniqueKeysWithValues: values.map { ($0.name, $0.value) }))
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.singleValueContainer().decode([String: Value].self)
    guard let variables = Self(values.map { (name: $0.key, value: $0.value) }) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no variables"))
    }
    self = variables
  }
}
