// PEFT's adapter_config.json of a LoRA on attention projections; whatever else PEFT can express is refused by name.
import Files

/// The contents of a LoRA's adapter_config.json (PEFT `LoraConfig`).
package struct PEFTConfiguration: Sendable, Equatable {
  /// `target_modules`
  package enum Targets: Sendable, Equatable {
    /// Names, or ends of names, of modules.
    case names([String])
    /// A regular expression; the adapter's tensors show what it matched.
    case pattern
  }

  package let rank: Int
  /// As if the factor were alpha / rank: with `use_rslora`, where it is alpha / sqrt(rank), larger by sqrt(rank).
  package let alpha: Double
  package let targets: Targets
  /// `layers_to_transform`; nil: all.
  package let layers: [Int]?

  static let file = "adapter_config.json"
  /// Modules that can be adapted here, by the last part of their name.
  static let modules = ["q_proj", "k_proj", "v_proj", "o_proj"]

  /// Options that would change the results, and their values in a plain LoRA.
  private static let plain: [(key: String, values: [JSON])] = [
    ("alora_invocation_tokens", []), ("alpha_pattern", [.object([])]), ("arrow_config", []),
    ("bias", [.string("none")]), ("fan_in_fan_out", [.bool(false)]), ("kasa_config", []), ("layer_replication", []),
    ("lora_bias", [.bool(false)]), ("lora_ga_config", []), ("modules_to_save", [.array([])]),
    ("monteclora_config", []), ("rank_pattern", [.object([])]), ("target_parameters", [.array([])]),
    ("trainable_token_indices", [.array([]), .object([])]),
    ("use_bdlora", []), ("use_dora", [.bool(false)]), ("use_qalora", [.bool(false)]),
    // Other starts subtract themselves from the base's weights.
    (
      "init_lora_weights",
      [.bool(true), .bool(false), .string("gaussian"), .string("eva"), .string("orthogonal")]
    ),
  ]

  /// Whether a folder's adapter_config.json is one of PEFT's.
  /// - Throws: `HuggingFaceError` for a file that cannot be read.
  package static func isPresent(in folder: String) throws -> Bool {
    try ModelFolder(path: folder).fields(file, maximumBytes: 1 << 20)["peft_type"] != nil
  }

  /// - Throws: `HuggingFaceError` naming the key that is missing, out of range or not supported.
  package init(folder: String) throws {
    let fields = try ModelFolder(path: folder).fields(Self.file, maximumBytes: 1 << 20)
    let type = try fields.string("peft_type")
    guard type == "LORA" else { throw fields.unsupported("peft_type \(type)", use: "LORA") }
    for (key, values) in Self.plain {
      guard let found = fields[key], !values.contains(found) else { continue }
      let expected = values.first.map(Self.written) ?? "null"
      throw fields.unsupported("\(key) \(Fields.show(found))", use: "an adapter made with \(key): \(expected)")
    }
    rank = try fields.integer("r", in: 1...65_536)
    let stated = try fields.number("lora_alpha", in: -1e6...1e6)
    alpha = try fields.bool("use_rslora", default: false) ? stated * Double(rank).squareRoot() : stated
    let transformed: [Int]? =
      switch fields["layers_to_transform"] {
      case .integer(let layer)?: [layer]
      case nil: nil
      default: try fields.integers("layers_to_transform", in: 0...1023)
      }
    layers = transformed.flatMap { $0.isEmpty ? nil : $0 }
    targets = try Self.targets(fields)
  }

  private static func targets(_ fields: Fields) throws -> Targets {
    if case .string(let pattern)? = fields["target_modules"] {
      guard pattern != "all-linear" else {
        throw fields.unsupported("target_modules \"all-linear\"", use: modules.joined(separator: ", "))
      }
      return .pattern
    }
    var names: [String] = []
    for element in try fields.array("target_modules") {
      guard case .string(let name) = element, let last = name.split(separator: ".").last,
        modules.contains(String(last))
      else {
        throw fields.unsupported(
          "target_modules: \(Fields.show(element))", use: modules.joined(separator: ", ") + " of the decoder")
      }
      names.append(name)
    }
    guard !names.isEmpty else { throw fields.failure("target_modules", "it is empty") }
    return .names(names)
  }

  private static func written(_ json: JSON) -> String {
    switch json {
    case .array: "[]"
    case .object: "{}"
    default: Fields.show(json)
    }
  }

  /// Whether a module is adapted, nil where only the tensors show it (`target_modules` as PEFT reads it: a name, or its
  /// end after a dot).
  /// - Parameter module: its name by checkpoints of old and of new transformers.
  package func adapts(layer: Int, module: [String]) -> Bool? {
    guard case .names(let names) = targets else { return nil }
    guard layers?.contains(layer) ?? true else { return false }
    return names.contains { name in module.contains { $0 == name || $0.hasSuffix(".\(name)") } }
  }
}
