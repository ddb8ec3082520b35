// Which added tokens a folder has: transformers puts them together from up to four files.
import Files

/// One entry of `added_tokens` or `added_tokens_decoder`.
struct AddedToken {
  let content: String
  let id: Int32
  /// Looked for after normalisation, itself normalised.
  let isNormalized: Bool

  var bytes: [UInt8] { Array(content.utf8) }

  init(_ fields: Fields, id: Int) throws {
    content = try fields.string("content")
    guard !content.isEmpty else { throw fields.failure("content", "an empty token") }
    for key in ["lstrip", "rstrip", "single_word"] { try fields.require(key, toBe: .bool(false)) }
    let isSpecial = try fields.bool("special", default: false)
    isNormalized = try fields.bool("normalized", default: !isSpecial)
    self.id = Int32(id)
  }

  init(content: String, id: Int, isNormalized: Bool) {
    (self.content, self.id, self.isNormalized) = (content, Int32(id), isNormalized)
  }
}

/// The added tokens of a folder, as transformers 5 reads them.
struct AddedTokenList {
  /// In the order in which the `tokenizers` library gives them ids.
  let tokens: [AddedToken]
  /// Whether tokenizer_config.json states them.
  let isOfSettings: Bool
  /// A line where tokens of tokenizer.json are left out.
  let notices: [String]

  /// - Parameter listed: `added_tokens` of tokenizer.json with the file's name, nil without that file.
  /// - Throws: `HuggingFaceError` for a damaged entry, and for a special token that is no added token.
  init(_ settings: TokenizerSettings, listed: (file: String, tokens: [AddedToken])?) throws {
    var notices: [String] = []
    let decoder = try settings.addedTokensDecoder()
    isOfSettings = decoder != nil
    if let decoder {
      if let listed, !settings.isRebuilt {
        tokens = listed.tokens + Self.sorted(decoder, without: listed.tokens)
      } else {
        // transformers 5 builds Qwen2Tokenizer anew from the vocabulary and these entries alone.
        tokens = Self.sorted(decoder, without: [])
        let dropped = Self.sorted(listed?.tokens ?? [], without: decoder)
        if let listed, !dropped.isEmpty {
          let some = dropped.prefix(3).map { "\(quoted($0.content)) \($0.id)" }.joined(separator: ", ")
          notices.append(
            "\(listed.file): added tokens that tokenizer_config.json's added_tokens_decoder does not have are left out, "
              + "as in transformers 5: \(some)\(dropped.count > 3 ? ", ..." : ""); list them there too to keep them")
        }
      }
    } else {
      let older = try settings.addedTokensFile()
      if let listed, !settings.isRebuilt {
        tokens = listed.tokens + Self.sorted(older, without: listed.tokens)
      } else {
        let listed = listed?.tokens ?? []
        tokens = Self.sorted(Self.sorted(older, without: listed) + listed, without: [])
      }
    }
    self.notices = notices
    let known = Set(tokens.map { ExactString($0.content) })
    for (key, fields, content) in try settings.specialTokens() where !known.contains(ExactString(content)) {
      throw fields.failure(
        key,
        "\(quoted(content)) is none of the added tokens, and transformers would add it under an id of its choice; "
          + "list it among the added tokens, which save_pretrained does, or remove it here")
    }
  }

  private static func sorted(_ tokens: [AddedToken], without others: [AddedToken]) -> [AddedToken] {
    let known = Set(others.map { ExactString($0.content) })
    return tokens.filter { !known.contains(ExactString($0.content)) }.sorted { $0.id < $1.id }
  }
}

/// tokenizer_config.json, and the older files beside it.
struct TokenizerSettings {
  private let files: ModelFolder
  /// tokenizer_config.json, nil where there is none.
  let fields: Fields?
  /// `tokenizer_class`, nil where none is stated.
  let className: String?

  /// - Throws: `HuggingFaceError` for a damaged file or an option that is not supported.
  init(_ files: ModelFolder) throws {
    self.files = files
    guard files.contains("tokenizer_config.json") else {
      (fields, className) = (nil, nil)
      return
    }
    let fields = try files.fields("tokenizer_config.json")
    // add_bos_token and add_eos_token change nothing in a Qwen2Tokenizer of transformers 4.49 to 5.24.
    for key in ["add_prefix_space", "split_special_tokens"] { try fields.require(key, toBe: .bool(false)) }
    className = fields["tokenizer_class"] == nil ? nil : try fields.string("tokenizer_class")
    self.fields = fields
  }

  /// Whether transformers 5 takes the vocabulary and merges alone from tokenizer.json; with other classes it takes the
  /// whole file.
  var isRebuilt: Bool {
    className.map { ["Qwen2Tokenizer", "Qwen2TokenizerFast", "Qwen3_5Tokenizer"].contains($0) } ?? true
  }

  /// The entries of `added_tokens_decoder`, nil without that key.
  func addedTokensDecoder() throws -> [AddedToken]? {
    guard let fields, let json = fields["added_tokens_decoder"] else { return nil }
    guard case .object(let members) = json else {
      throw fields.failure("added_tokens_decoder", "expected an object, found \(json.kind)")
    }
    return try members.map { member in
      let path = "added_tokens_decoder.\(member.key)."
      guard let id = Int(member.key), (0..<Vocabulary.maximumSize).contains(id) else {
        throw fields.failure(String(path.dropLast()), "the key is not a token id")
      }
      return try AddedToken(try Fields(member.value, file: fields.file, path: path), id: id)
    }
  }

  /// The entries of added_tokens.json, which older versions wrote in place of `added_tokens_decoder`.
  func addedTokensFile() throws -> [AddedToken] {
    let name = "added_tokens.json"
    guard files.contains(name) else { return [] }
    let file = files.file(name)
    let document = try files.json(name)
    guard case .object(let members) = document else {
      throw HuggingFaceError.malformed(file: file, position: "the document", problem: "not an object")
    }
    let special = Set(try specialTokens().map { ExactString($0.content) })
    return try members.map { member in
      guard case .integer(let id) = member.value, (0..<Vocabulary.maximumSize).contains(id), !member.key.isEmpty else {
        throw HuggingFaceError.badValue(file: file, key: member.key, problem: "expected a token and its id")
      }
      return AddedToken(content: member.key, id: id, isNormalized: !special.contains(ExactString(member.key)))
    }
  }

  /// Every special token that a file names: `eos_token` and the like, `extra_special_tokens` or, where there are none,
  /// `additional_special_tokens`. special_tokens_map.json is read where there is no `added_tokens_decoder`.
  func specialTokens() throws -> [(key: String, fields: Fields, content: String)] {
    var found: [(key: String, fields: Fields, content: String)] = []
    var sources = [fields].compactMap(\.self)
    if fields?["added_tokens_decoder"] == nil, files.contains("special_tokens_map.json") {
      sources.append(try files.fields("special_tokens_map.json"))
    }
    for source in sources {
      func note(_ key: String, _ json: JSON?) throws {
        switch json {
        case .string(let content): if !content.isEmpty { found.append((key, source, content)) }
        case .object(let members):
          guard case .string(let content)? = members.first(where: { $0.key.hasSameBytes(as: "content") })?.value else {
            throw source.failure(key, "a token without content")
          }
          found.append((key, source, content))
        default: break
        }
      }
      for key in source.keys where key.text.utf8.reversed().starts(with: "_token".utf8.reversed()) {
        try note(key.text, source[key.text])
      }
      let extra = "extra_special_tokens"
      switch source[extra] {
      case .array(let items) where !items.isEmpty: for item in items { try note(extra, item) }
      case .object(let members) where !members.isEmpty:
        for member in members { try note("\(extra).\(member.key)", member.value) }
      default:
        let additional = "additional_special_tokens"
        if case .array(let items)? = source[additional] { for item in items { try note(additional, item) } }
      }
    }
    return found
  }
}
