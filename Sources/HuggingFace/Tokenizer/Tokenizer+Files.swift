// Reading tokenizer.json, or vocab.json + merges.txt + tokenizer_config.json; other tokenizers are refused by name.
import Files

extension Tokenizer {
  private static let largestFile = 64 << 20

  /// Reads tokenizer.json where present, otherwise vocab.json, merges.txt and tokenizer_config.json.
  ///
  /// - Throws: `HuggingFaceError` for damaged files and for every component that is neither the Qwen2 or Qwen3.5
  ///   tokenizer's nor SmolLM2's.
  package init(folder: String) throws {
    let files = ModelFolder(path: folder)
    let settings = try TokenizerSettings(files)
    if files.contains("tokenizer.json") {
      try self.init(try files.fields("tokenizer.json", maximumBytes: Self.largestFile), settings)
    } else {
      try self.init(files: files, settings)
    }
  }

  /// tokenizer.json as the `tokenizers` library writes it.
  private init(_ root: Fields, _ settings: TokenizerSettings) throws {
    let words = try Self.checkComponents(root)
    if words != .digitsGPT2, let fields = settings.fields, let name = settings.className, name.hasPrefix("GPT2") {
      throw fields.unsupported(
        "tokenizer_class \"\(name)\" of a Qwen2 tokenizer, whose ids differ between transformers 4 and 5,",
        use: "Qwen2Tokenizer")
    }
    guard let model = try root.object("model") else { throw root.failure("model", "missing") }
    for key in ["dropout", "unk_token"] where model[key] != nil { throw model.unsupported(key, use: "null") }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] { try model.require(key, toBe: .string("")) }
    for key in ["fuse_unk", "byte_fallback", "ignore_merges"] { try model.require(key, toBe: .bool(false)) }
    let listed = try root.array("added_tokens", default: []).enumerated().map { index, json in
      let fields = try Fields(json, file: root.file, path: "added_tokens[\(index)].")
      return try AddedToken(fields, id: fields.integer("id", in: 0...(Vocabulary.maximumSize - 1)))
    }
    let added = try AddedTokenList(settings, listed: (root.file, listed))
    guard case .object(let vocab) = model["vocab"] else { throw model.failure("vocab", "missing, expected an object") }
    var vocabulary = try Vocabulary(vocab, added: added.tokens, hasEveryByte: words != .digitsGPT2) {
      model.failure("vocab.\($0)", $1)
    }
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
    let settingsFields = added.isOfSettings ? settings.fields : nil
    try self.init(vocabulary: &vocabulary, added: added, words: words) { problem in
      settingsFields?.failure("added_tokens_decoder", problem) ?? root.failure("added_tokens", problem)
    }
  }

  /// The older three files, for which transformers' `Qwen2Tokenizer` builds the same components.
  private init(files: ModelFolder, _ settings: TokenizerSettings) throws {
    guard let fields = settings.fields else {
      throw HuggingFaceError.unreadable(file: files.file("tokenizer_config.json"), reason: "No such file")
    }
    guard settings.isRebuilt else {
      throw fields.unsupported("tokenizer_class \"\(settings.className ?? "")\"", use: "Qwen2Tokenizer")
    }
    let vocabFile = files.file("vocab.json")
    guard case .object(let vocab) = try files.json("vocab.json", maximumBytes: Self.largestFile) else {
      throw HuggingFaceError.malformed(file: vocabFile, position: "the document", problem: "not an object")
    }
    func failure(_ key: String, _ problem: String) -> HuggingFaceError {
      .badValue(file: vocabFile, key: key, problem: problem)
    }
    let added = try AddedTokenList(settings, listed: nil)
    var vocabulary = try Vocabulary(vocab, added: added.tokens, hasEveryByte: true, failure: failure)
    try Self.readMerges(files, into: &vocabulary)
    try self.init(vocabulary: &vocabulary, added: added, words: Self.words(files, fields)) {
      fields.failure("added_tokens_decoder", $0)
    }
  }

  /// The rule of a folder without tokenizer.json: as tokenizer_config.json states it, or that of the model's type.
  private static func words(_ files: ModelFolder, _ settings: Fields) throws -> WordScanner.Rule {
    let key = "pretokenize_regex"
    if settings[key] != nil {
      let pattern = try settings.string(key)
      guard let rule = WordScanner.Rule(pattern: pattern) else {
        throw settings.unsupported("\(key) \(quoted(pattern))", use: "the pattern of Qwen2 or Qwen3.5")
      }
      return rule
    }
    guard files.contains("config.json") else { return .qwen2 }
    let config = try files.fields("config.json")
    guard config["model_type"] != nil else { return .qwen2 }
    return try config.string("model_type").utf8.starts(with: "qwen3_5".utf8) ? .qwen3_5 : .qwen2
  }

  private init(
    vocabulary: inout Vocabulary, added: AddedTokenList, words: WordScanner.Rule,
    failure: (String) -> HuggingFaceError
  ) throws {
    addedIDs = try vocabulary.add(added.tokens, failure: failure)
    let normalization = words != .digitsGPT2 ? CanonicalComposition() : nil
    var contents: [Piece: AddedToken] = [:]
    let normalized = try added.tokens.filter(\.isNormalized).map { token in
      let content = normalization?.normalized(token.bytes, token.bytes.indices) ?? token.bytes
      // Which of the two transformers finds depends on a hash seed.
      if let other = contents.updateValue(token, forKey: Piece(bytes: content)), other.id != token.id {
        throw failure(
          "tokens \(other.id) and \(token.id), \(quoted(token.content)), are the same text in form C; set normalized "
            + "false in both, or remove one")
      }
      return AddedTokens.Token(content: content, id: token.id)
    }
    self.vocabulary = vocabulary
    longestToken = max(1, vocabulary.pieces.reduce(0) { max($0, $1?.count ?? 0) })
    self.normalization = normalization
    self.words = words
    notices = added.notices
    rawTokens = AddedTokens(
      added.tokens.filter { !$0.isNormalized }.map { AddedTokens.Token(content: $0.bytes, id: $0.id) })
    normalizedTokens = AddedTokens(normalized)
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
}
