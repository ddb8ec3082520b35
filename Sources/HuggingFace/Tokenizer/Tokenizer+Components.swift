// The components of tokenizer.json: those that give the ids of Qwen2, Qwen3.5 or SmolLM2; others are refused by name.
import Files

extension Tokenizer {
  /// The rule that cuts words; refuses every component of tokenizer.json that is neither the Qwen2 or Qwen3.5
  /// tokenizer's nor, where the first step is about digits, SmolLM2's, by name.
  static func checkComponents(_ root: Fields) throws -> WordScanner.Rule {
    var name = "Qwen2"
    func require(_ fields: Fields?, _ key: String, _ value: JSON) throws {
      guard let fields else { throw root.unsupported("a tokenizer without its components", use: "\(name)'s") }
      guard fields[key] == value else {
        let found = fields[key].map(Fields.show) ?? "missing"
        throw fields.unsupported("\(key) \(found)", use: "\(Fields.show(value)) (the \(name) tokenizer)")
      }
    }
    try require(root.object("decoder"), "type", .string("ByteLevel"))
    if let processor = try root.object("post_processor") { try checkPostProcessor(processor) }
    if let type = try root.object("model"), type["type"] != nil { try require(type, "type", .string("BPE")) }
    let sequence = try root.object("pre_tokenizer")
    try require(sequence, "type", .string("Sequence"))
    let steps = try sequence?.objects("pretokenizers")
    guard let steps, steps.count == 2 else {
      throw root.unsupported("pre_tokenizer of other than two steps", use: "the Qwen2 tokenizer")
    }
    try require(steps[1], "type", .string("ByteLevel"))
    try require(steps[1], "add_prefix_space", .bool(false))
    if steps[0]["type"] == .string("Digits") {
      name = "SmolLM2"
      if let found = root["normalizer"] {
        throw root.unsupported("normalizer \(Fields.show(found))", use: "null (the \(name) tokenizer)")
      }
      try require(steps[0], "individual_digits", .bool(true))
      try require(steps[1], "use_regex", .bool(true))
      return .digitsGPT2
    }
    var normalizers = [try root.object("normalizer")]
    if let sequence = normalizers[0], sequence["type"] == .string("Sequence") {
      normalizers = try sequence.objects("normalizers")
    }
    for normalizer in normalizers.isEmpty ? [nil] : normalizers {
      guard let normalizer else {
        // transformers 4 then leaves texts as they are, transformers 5 has a Qwen2Tokenizer normalise them.
        throw root.unsupported("no normalizer", use: "\"NFC\" (the \(name) tokenizer)")
      }
      try require(normalizer, "type", .string("NFC"))
    }
    try require(steps[0], "type", .string("Split"))
    try require(steps[0], "behavior", .string("Isolated"))
    try require(steps[0], "invert", .bool(false))
    let pattern = try steps[0].object("pattern")
    if case .string(let text)? = pattern?["Regex"], let rule = WordScanner.Rule(pattern: text) {
      try require(steps[1], "use_regex", .bool(false))
      return rule
    }
    try require(pattern, "Regex", .string(WordScanner.Rule.qwen2.pattern ?? ""))
    return .qwen2
  }

  /// Accepts what adds no token to a text: ByteLevel, which changes offsets alone, a template of the text alone as
  /// transformers 5 writes it, and sequences of these. Templates for pairs of texts are never used.
  private static func checkPostProcessor(_ processor: Fields) throws {
    let type = try processor.string("type")
    switch type {
    case "ByteLevel": return
    case "Sequence": for step in try processor.objects("processors") { try checkPostProcessor(step) }
    case "TemplateProcessing":
      let pieces = try processor.objects("single")
      for piece in pieces {
        guard let token = try piece.object("SpecialToken") else { continue }
        throw processor.unsupported(
          "TemplateProcessing that adds \(quoted(try token.string("id"))) to every text",
          use: "one that adds no tokens, as the Qwen2 tokenizer's")
      }
      guard pieces.count == 1, try pieces[0].object("Sequence")?.string("id") == "A" else {
        throw processor.unsupported("TemplateProcessing of other than the text once", use: "single: the sequence A")
      }
    default:
      throw processor.unsupported(
        "type \"\(type)\"",
        use: "a post_processor that adds no tokens: null, ByteLevel or TemplateProcessing of A alone")
    }
  }
}

extension Fields {
  /// The objects of the array under `key`.
  fileprivate func objects(_ key: String) throws -> [Fields] {
    try array(key).enumerated().map { index, json in
      try Fields(json, file: file, path: "\(path)\(key)[\(index)].")
    }
  }
}
