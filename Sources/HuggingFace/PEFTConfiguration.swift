// PEFT's adapter_config.json of a LoRA on linear modules; whatever else PEFT can express is refused by name.
import Files

/// The contents of a LoRA's adapter_config.json (PEFT `LoraConfig`, as of PEFT 0.21).
package struct PEFTConfiguration: Sendable, Equatable {
  package let rank: Int
  /// As if the factor were alpha / rank: with `use_rslora`, where it is alpha / sqrt(rank), larger by sqrt(rank).
  package let alpha: Double
  private let statedAlpha: Double
  private let isRankStabilized: Bool
  private let ranks, alphas: PEFTPatterns<Double>
  /// Which modules are adapted.
  package let modules: PEFTModules
  /// The base's, or its folder's path, where the file states it; it has no effect.
  package let baseName: ModelName?

  static let file = "adapter_config.json"

  /// Options that would change the results, and their values in a plain LoRA; `null` always is one.
  private static let plain: [ExactString: [JSON]] = [
    "alora_invocation_tokens": [], "arrow_config": [], "bias": [.string("none")],
    "fan_in_fan_out": [.bool(false)], "kasa_config": [], "layer_replication": [.array([])],
    "lora_bias": [.bool(false)], "megatron_config": [], "modules_to_save": [.array([])], "monteclora_config": [],
    "target_parameters": [.array([])],
    "trainable_token_indices": [.array([]), .object([])], "use_bdlora": [], "use_dora": [.bool(false)],
    "use_qalora": [.bool(false)], "velora_config": [],
  ]

  /// Keys that are read here.
  private static let read: Set<ExactString> = [
    "alpha_pattern", "exclude_modules", "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha",
    "peft_type", "r", "rank_pattern", "target_modules", "use_rslora",
  ]

  /// Keys that have no effect on a trained adapter of attention projections: what it was made of, how it was trained,
  /// what it began with, and settings of options that are off.
  package static let withoutEffect: Set<ExactString> = [
    "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config", "inference_mode",
    "loftq_config", "lora_dropout", "lora_ga_config", "megatron_core", "peft_version", "qalora_group_size", "revision",
    "runtime_config", "task_type",
  ]

  /// Starts that leave the base's weights as they are. Others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) subtract themselves
  /// from them.
  private static let starts = ["gaussian", "eva", "orthogonal", "mica"]

  /// Whether a folder's adapter_config.json is one of PEFT's.
  /// - Throws: `HuggingFaceError` for a file that cannot be read.
  package static func isPresent(in folder: String) throws -> Bool {
    try ModelFolder(path: folder).fields(file, maximumBytes: 1 << 20)["peft_type"] != nil
  }

  /// - Throws: `HuggingFaceError` naming the key that is missing, out of range or not supported.
  package init(folder: String) throws {
    let files = ModelFolder(path: folder)
    let document = try files.json(Self.file, maximumBytes: 1 << 20)
    let fields = try Fields(document, file: files.file(Self.file))
    let type = try fields.string("peft_type")
    guard type.hasSameBytes(as: "LORA") else { throw fields.unsupported("peft_type \(type)", use: "LORA") }
    if case .object(let members) = document { for member in members { try Self.check(member, fields) } }
    rank = try fields.integer("r", in: 1...65_536)
    let stated = try fields.number("lora_alpha", in: -1e6...1e6)
    isRankStabilized = try fields.bool("use_rslora", default: false)
    statedAlpha = stated
    alpha = isRankStabilized ? stated * Double(rank).squareRoot() : stated
    modules = try PEFTModules(fields)
    baseName = Self.text("base_model_name_or_path", fields).map {
      ModelName(name: $0, revision: Self.text("revision", fields))
    }
    ranks = try Self.pattern("rank_pattern", fields, values: 1...65_536)
    alphas = try Self.pattern("alpha_pattern", fields, values: -1e6...1e6)
    if let rank = ranks.entries.first(where: { $0.value != $0.value.rounded() }) {
      throw fields.failure("rank_pattern", "expected whole numbers, found \(rank.value)")
    }
  }

  /// The value of a key that counts for nothing where it is no text.
  private static func text(_ key: String, _ fields: Fields) -> String? {
    if case .string(let text)? = fields[key] { text } else { nil }
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.rank == b.rank && a.alpha == b.alpha && a.modules == b.modules && a.ranks == b.ranks && a.alphas == b.alphas
  }

  /// Rank and alpha of a module, as if its factor were alpha / rank.
  /// - Parameters:
  ///   - name: in the model that the adapter was made for, as `model.layers.3.self_attn.q_proj`.
  ///   - effort: that of all names so far.
  /// - Throws: `HuggingFaceError` for a pattern that takes too long.
  package func size(of name: String, _ effort: inout PEFTEffort) throws -> (rank: Int, alpha: Double) {
    do throws(PEFTPattern.Problem) {
      let rank = try ranks.first(matching: name, &effort).map { Int($0.value) } ?? rank
      let alpha = try alphas.first(matching: name, &effort)?.value ?? statedAlpha
      return (rank, isRankStabilized ? alpha * Double(rank).squareRoot() : alpha)
    } catch {
      throw HuggingFaceError.unsupported(
        file: Self.file, feature: "rank_pattern or alpha_pattern: a regular expression \(error.text), and so it",
        supported: "names of modules")
    }
  }

  /// The values of a pattern's key, in the order in which PEFT tries them.
  private static func pattern(
    _ key: String, _ fields: Fields, values: ClosedRange<Double>
  ) throws -> PEFTPatterns<Double> {
    var patterns = PEFTPatterns<Double>()
    guard let stated = fields[key] else { return patterns }
    guard case .object(let members) = stated else {
      throw fields.failure(key, "expected numbers by module, found \(Fields.show(stated))")
    }
    for member in members {
      guard let value = member.value.double, values.contains(value) else {
        throw fields.failure(key, "\(quoted(member.key)): expected a number, found \(Fields.show(member.value))")
      }
      do throws(PEFTPattern.Problem) {
        try patterns.append(member.key, value)
      } catch {
        throw fields.unsupported(
          "\(key): the regular expression \(quoted(member.key)) \(error.text), and so it", use: "names of modules")
      }
    }
    return patterns
  }

  /// Refuses a key that changes the results, or may: PEFT itself leaves out keys of later versions with a warning.
  private static func check(_ member: JSON.Member, _ fields: Fields) throws {
    let key = ExactString(member.key)
    guard member.value != .null, !read.contains(key) || key == "init_lora_weights", !withoutEffect.contains(key) else {
      return
    }
    if key == "init_lora_weights" {
      switch member.value {
      case .bool: return
      case .string(let name) where starts.contains(where: { $0.hasSameBytes(as: name.lowercased()) }): return
      default:
        throw fields.unsupported(
          "init_lora_weights \(Fields.show(member.value)), which changes the base model's weights,",
          use: "PEFT's save_pretrained with path_initial_model_for_weight_conversion")
      }
    }
    guard let values = plain[key] else {
      switch member.value {
      case .bool(false), .array([]), .object([]), .string(""): return
      default:
        throw fields.unsupported(
          "\(member.key) \(Fields.show(member.value)), a key that PEFT 0.21 does not have,",
          use: "an adapter without it")
      }
    }
    guard !values.contains(member.value) else { return }
    let expected = values.first.map(written) ?? "null"
    throw fields.unsupported(
      "\(member.key) \(Fields.show(member.value))", use: "an adapter made with \(member.key): \(expected)")
  }

  private static func written(_ json: JSON) -> String {
    switch json {
    case .array: "[]"
    case .object: "{}"
    default: Fields.show(json)
    }
  }
}
