// Which modules a LoRA of PEFT adapts: target_modules, exclude_modules, layers_to_transform and layers_pattern.
import Files

/// The choice of modules in an adapter_config.json, decided as PEFT's `check_target_module_exists` decides it.
package struct PEFTModules: Sendable, Equatable {
  private enum Filter: Sendable, Equatable {
    /// Names, or ends of names after a dot.
    case names([String])
    /// A regular expression that matches all of a name.
    case pattern(PEFTPattern)
    /// Every linear module but the head.
    case allLinear
  }

  private let file: String
  private let targets: Filter
  private let excluded: Filter?
  /// nil: every layer.
  private let layers: [Int]?
  /// What stands before a layer's number; nil: anything.
  private let lists: [PEFTPattern]?

  /// Modules that can be adapted here, by the last part of their name.
  private static let adaptable = [
    "q_proj", "k_proj", "v_proj", "o_proj", "in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "out_proj",
    "gate_proj", "up_proj", "down_proj", "qkv", "proj", "linear_fc1", "linear_fc2", "fc1", "fc2", "mlp.0", "mlp.2",
  ]

  /// - Throws: `HuggingFaceError` naming the key that is missing, wrong or not supported.
  init(_ fields: Fields) throws {
    file = fields.file
    targets = try Self.targets(fields)
    excluded = try Self.excluded(fields)
    layers = try Self.layers(fields)
    lists = try Self.lists(fields)
    if case .pattern = targets, let key = ["layers_to_transform", "layers_pattern"].first(where: { fields[$0] != nil })
    {
      throw fields.unsupported(
        "\(key) beside a regular expression in target_modules", use: "one of them, as PEFT demands")
    }
    guard lists == nil || layers != nil else {
      throw fields.unsupported("layers_pattern without layers_to_transform", use: "both or none, as PEFT demands")
    }
  }

  /// Whether a module is adapted.
  /// - Parameters:
  ///   - name: in the model that the adapter was made for, as `model.layers.3.self_attn.q_proj`.
  ///   - effort: that of all names so far.
  /// - Throws: `HuggingFaceError` for a regular expression that takes too long.
  package func adapts(_ name: String, _ effort: inout PEFTEffort) throws -> Bool {
    if let excluded, try matches(excluded, name, key: "exclude_modules", &effort) { return false }
    guard try matches(targets, name, key: "target_modules", &effort) else { return false }
    // As in PEFT, layers do not restrict patterns and names that are given in full.
    guard case .names(let names) = targets, let layers, !names.contains(where: { $0.hasSameBytes(as: name) }) else {
      return true
    }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard
      let place = parts.indices.dropFirst(lists == nil ? 2 : 1).dropLast().first(where: { Self.isNumber(parts[$0]) }),
      let layer = Int(parts[place]), layers.contains(layer)
    else { return false }
    guard let lists else { return true }
    let before = parts[..<place].joined(separator: ".")
    for list in lists where try matches(.pattern(list), before, key: "layers_pattern", &effort) { return true }
    return false
  }

  private static func isNumber(_ part: Substring) -> Bool {
    !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  private func matches(
    _ filter: Filter, _ name: String, key: String, _ effort: inout PEFTEffort
  ) throws -> Bool {
    switch filter {
    case .names(let names):
      return names.contains { Self.isEnd($0, of: name) }
    case .allLinear:
      return Self.adaptable.contains { Self.isEnd($0, of: name) } && !Self.isEnd("patch_embed.proj", of: name)
    case .pattern(let pattern):
      do {
        return try pattern.matches(name, &effort)
      } catch {
        throw HuggingFaceError.unsupported(
          file: file, feature: "\(key): the regular expression \(error.text), and so it", supported: "a list of names")
      }
    }
  }

  // MARK: - Reading

  private static func targets(_ fields: Fields) throws -> Filter {
    let supported = adaptable.joined(separator: ", ")
    if case .string(let text)? = fields["target_modules"] {
      return text.lowercased().hasSameBytes(as: "all-linear")
        ? .allLinear : .pattern(try pattern(text, "target_modules", fields))
    }
    var names: [String] = []
    for element in try fields.array("target_modules") {
      guard case .string(let name) = element, adaptable.contains(where: { isEnd($0, of: name) }) else {
        throw fields.unsupported("target_modules: \(Fields.show(element))", use: supported)
      }
      names.append(name)
    }
    guard !names.isEmpty else { throw fields.failure("target_modules", "it is empty") }
    return .names(names)
  }

  /// Whether a name is `end` or ends with it after a dot.
  private static func isEnd(_ end: String, of name: String) -> Bool {
    name.hasSameBytes(as: end) || name.utf8.reversed().starts(with: ".\(end)".utf8.reversed())
  }

  private static func excluded(_ fields: Fields) throws -> Filter? {
    switch fields["exclude_modules"] {
    case nil: return nil
    case .string(let text)? where text.utf8.isEmpty: return nil
    case .string(let text)?: return .pattern(try pattern(text, "exclude_modules", fields))
    case .array(let elements)?:
      let names = try strings(elements, "exclude_modules", fields)
      return names.isEmpty ? nil : .names(names)
    case let other?:
      throw fields.failure("exclude_modules", "expected names or a regular expression, found \(Fields.show(other))")
    }
  }

  private static func layers(_ fields: Fields) throws -> [Int]? {
    if case .integer = fields["layers_to_transform"] {
      return [try fields.integer("layers_to_transform", in: 0...1023)]
    }
    let layers = try fields.integers("layers_to_transform", in: 0...1023, default: [])
    return layers.isEmpty ? nil : layers
  }

  private static func lists(_ fields: Fields) throws -> [PEFTPattern]? {
    let key = "layers_pattern"
    let names: [String]
    switch fields[key] {
    case nil: return nil
    case .string(let text)?: names = text.utf8.isEmpty ? [] : [text]
    case .array(let elements)?: names = try strings(elements, key, fields)
    case let other?: throw fields.failure(key, "expected a name or a list of names, found \(Fields.show(other))")
    }
    // PEFT puts it into a larger expression as it is.
    guard !names.contains(where: { $0.utf8.contains(UInt8(ascii: "|")) }) else {
      throw fields.unsupported("\(key) with |", use: "a list of names")
    }
    let patterns = try names.map { try pattern("(?:|.*\\.)(?:\($0))", key, fields) }
    return patterns.isEmpty ? nil : patterns
  }

  private static func strings(_ elements: [JSON], _ key: String, _ fields: Fields) throws -> [String] {
    try elements.map { element in
      guard case .string(let name) = element else {
        throw fields.failure(key, "expected names, found \(Fields.show(element))")
      }
      return name
    }
  }

  private static func pattern(_ text: String, _ key: String, _ fields: Fields) throws -> PEFTPattern {
    do {
      return try PEFTPattern(text)
    } catch {
      throw fields.unsupported(
        "\(key): the regular expression \(Fields.show(.string(text))) \(error.text), and so it", use: "a list of names")
    }
  }
}
