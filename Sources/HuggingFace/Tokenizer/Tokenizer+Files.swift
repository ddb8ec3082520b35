// Reading tokenizer.json, or vocab.json + merges.txt + tokenizer_config.json; other tokenizers are refused by name.
import Files

extension Tokenizer {
  private static let largestFile = 64 << 20

  /// Reads tokenizer.json where present, otherwise vocab.json, merges.txt and tokenizer_config.json.
  ///
  /// - Throws: `HuggingFaceError` for damaged files and for every component that is neither the Qwen2 tokenizer's nor
  ///   SmolLM2's.
  package init(folder: String) throws {
    let files = ModelFolder(path: folder)
    let settings = files.contains("tokenizer_config.json") ? try files.fields("tokenizer_config.json") : nil
    for key in ["add_prefix_space", "add_bos_token", "add_eos_token", "split_special_tokens"] {
      try settings?.require(key, toBe: .bool(false))
    }
    if files.contains("tokenizer.json") {
      try self.init(try files.fields("tokenizer.json", maximumBytes: Self.largestFile))
    } else {
      try self.init(files: files, settings: settings)
    }
    // transformers adds what tokenizer_config.json lists beyond tokenizer.json: here the two must agree.
    for member in try Self.addedTokensDecoder(settings) {
      let token = try AddedToken(member.fields, id: member.id)
      guard id(of: token.content) == token.id else {
        throw member.fields.failure("content", "token \(token.content) does not have id \(token.id) in the vocabulary")
      }
    }
  }

  /// tokenizer.json as the `tokenizers` library writes it.
  private init(_ root: Fields) throws {
    let words = try Self.checkComponents(root)
    guard let model = try root.object("model") else { throw root.failure("model", "missing") }
    for key in ["dropout", "unk_token"] where model[key] != nil { throw model.unsupported(key, use: "null") }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] { try model.require(key, toBe: .string("")) }
    for key in ["fuse_unk", "byte_fallback", "ignore_merges"] { try model.require(key, toBe: .bool(false)) }
    guard case .object(let vocab) = model["vocab"] else { throw model.failure("vocab", "missing, expected an object") }
    var vocabulary = try Vocabulary(vocab, hasEveryByte: words == .qwen2) { model.failure("vocab.\($0)", $1) }
    let merges = try model.array("merges")
    vocabulary.reserveMerges(merges.count)
    for (rank, json) in merges.enumerated() {
      // Older files have "left right", newer ones ["left", "right"].
      let parts: [Substring.UTF8View] =
        switch json {
        case .string(let text): text.utf8.split(separator: UInt8(ascii: " "))
        case .array(let halves):
          halves.compactMap { if case .string(let half) = $0 { half.utf8[...] } else { nil } }
        default: []
        }
      guard parts.count == 2, vocabulary.addMerge(parts[0], parts[1], rank: rank) else {
        throw model.failure("merges[\(rank)]", "not a pair of pieces whose whole is in the vocabulary")
      }
    }
    let added = try root.array("added_tokens", default: []).enumerated().map { index, json in
      let fields = try Fields(json, file: root.file, path: "added_tokens[\(index)].")
      return try AddedToken(fields, id: fields.integer("id", in: 0...(Vocabulary.maximumSize - 1)))
    }
    try self.init(vocabulary: &vocabulary, added: added, words: words) { root.failure("added_tokens", $0) }
  }

  /// The older three files, for which transformers' `Qwen2Tokenizer` builds the same components.
  private init(files: ModelFolder, settings: Fields?) throws {
    guard let settings else {
      throw HuggingFaceError.unreadable(file: files.file("tokenizer_config.json"), reason: "No such file")
    }
    let name = try settings.string("tokenizer_class", default: "Qwen2Tokenizer")
    guard ["Qwen2Tokenizer", "Qwen2TokenizerFast"].contains(name) else {
      throw settings.unsupported("tokenizer_class \"\(name)\"", use: "Qwen2Tokenizer")
    }
    let vocabFile = files.file("vocab.json")
    guard case .object(let vocab) = try files.json("vocab.json", maximumBytes: Self.largestFile) else {
      throw HuggingFaceError.malformed(file: vocabFile, position: "the document", problem: "not an object")
    }
    func failure(_ key: String, _ problem: String) -> HuggingFaceError {
      .badValue(file: vocabFile, key: key, problem: problem)
    }
    var vocabulary = try Vocabulary(vocab, hasEveryByte: true, failure: failure)
    try Self.readMerges(files, into: &vocabulary)
    let added = try Self.addedTokensDecoder(settings).map { try AddedToken($0.fields, id: $0.id) }
    try self.init(vocabulary: &vocabulary, added: added, words: .qwen2) {
      settings.failure("added_tokens_decoder", $0)
    }
  }

  private init(
    vocabulary: inout Vocabulary, added: [AddedToken], words: WordScanner.Rule,
    failure: (String) -> HuggingFaceError
  ) throws {
    for token in added {
      let bytes = Array(token.content.utf8)
      if vocabulary.ids[Piece(bytes: bytes)] == token.id { continue }
      guard vocabulary.insert(bytes, id: token.id) else {
        throw failure("token \(token.content) or its id \(token.id) is given twice")
      }
    }
    let normalization = words == .qwen2 ? CanonicalComposition() : nil
    func matcher(_ tokens: [AddedToken]) -> AddedTokens {
      AddedTokens(
        tokens.map { token in
          let bytes = Array(token.content.utf8)
          let normal = token.isNormalized ? normalization?.normalized(bytes, bytes.indices) : nil
          return AddedTokens.Token(content: normal ?? bytes, id: token.id)
        })
    }
    self.vocabulary = vocabulary
    self.normalization = normalization
    self.words = words
    rawTokens = matcher(added.filter { !$0.isNormalized })
    normalizedTokens = matcher(added.filter(\.isNormalized))
  }

  private static func readMerges(_ files: ModelFolder, into vocabulary: inout Vocabulary) throws {
    let bytes = try files.bytes("merges.txt")
    var rank = 0
    for (number, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let line = line.last == 0x0D ? line.dropLast() : line
      if line.isEmpty || line.starts(with: "#version".utf8) { continue }
      let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard parts.count == 2, vocabulary.addMerge(parts[0], parts[1], rank: rank) else {
        throw HuggingFaceError.malformed(
          file: files.file("merges.txt"), position: "line \(number + 1)",
          problem: "not a pair of pieces whose whole is in vocab.json")
      }
      rank += 1
    }
  }

  private static func addedTokensDecoder(_ settings: Fields?) throws -> [(id: Int, fields: Fields)] {
    guard let settings, let json = settings["added_tokens_decoder"] else { return [] }
    guard case .object(let members) = json else {
      throw settings.failure("added_tokens_decoder", "expected an object, found \(json.kind)")
    }
    return try members.map { member in
      let path = "added_tokens_decoder.\(member.key)."
      guard let id = Int(member.key), (0..<Vocabulary.maximumSize).contains(id) else {
        throw settings.failure(String(path.dropLast()), "the key is not a token id")
      }
      return (id, try Fields(member.value, file: settings.file, path: path))
    }
  }

  /// The rule that cuts words; refuses every component of tokenizer.json that is neither the Qwen2 tokenizer's nor,
  /// where the first step is about digits, SmolLM2's, by name.
  private static func checkComponents(_ root: Fields) throws -> WordScanner.Rule {
    var name = "Qwen2"
    func require(_ fields: Fields?, _ key: String, _ value: JSON) throws {
      guard let fields else { throw root.unsupported("a tokenizer without its components", use: "\(name)'s") }
      guard fields[key] == value else {
        let found = fields[key].map(Fields.show) ?? "missing"
        throw fields.unsupported("\(key) \(found)", use: "\(Fields.show(value)) (the \(name) tokenizer)")
      }
    }
    try require(root.object("decoder"), "type", .string("ByteLevel"))
    if let processor = try root.object("post_processor") { try require(processor, "type", .string("ByteLevel")) }
    if let type = try root.object("model"), type["type"] != nil { try require(type, "type", .string("BPE")) }
    let sequence = try root.object("pre_tokenizer")
    try require(sequence, "type", .string("Sequence"))
    let steps = try sequence?.array("pretokenizers").enumerated().map { index, json in
      try Fields(json, file: root.file, path: "pre_tokenizer.pretokenizers[\(index)].")
    }
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
    try require(root.object("normalizer"), "type", .string("NFC"))
    try require(steps[0], "type", .string("Split"))
    try require(steps[0], "behavior", .string("Isolated"))
    try require(steps[0], "invert", .bool(false))
    try require(steps[0].object("pattern"), "Regex", .string(WordScanner.pattern))
    try require(steps[1], "use_regex", .bool(false))
    return .qwen2
  }
}

/// One entry of `added_tokens` or `added_tokens_decoder`.
private struct AddedToken {
  let content: String
  let id: Int32
  /// Looked for after normalisation, itself normalised.
  let isNormalized: Bool

  init(_ fields: Fields, id: Int) throws {
    content = try fields.string("content")
    guard !content.isEmpty else { throw fields.failure("content", "an empty token") }
    for key in ["lstrip", "rstrip", "single_word"] { try fields.require(key, toBe: .bool(false)) }
    let isSpecial = try fields.bool("special", default: false)
    isNormalized = try fields.bool("normalized", default: !isSpecial)
    self.id = Int32(id)
  }
}
