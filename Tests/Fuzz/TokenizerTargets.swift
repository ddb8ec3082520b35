// Tokenizers in both of their forms, and a text that they read.
import Files
import HuggingFace

extension FuzzTarget {
  private static let tokenizerFiles = [
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "added_tokens.json",
    "special_tokens_map.json",
    "text",
  ]
  private static let text = "Hello, wörld! <|im_start|>user\nä\u{301}e\u{301} 12345 \r\n\t don't 你好 🦙<|image_pad|>\u{0}"

  static let tokenizers: [FuzzTarget] = [
    FuzzTarget(
      name: "tokenizer", dictionary: "tokenizer",
      format: .files([
        "tokenizer.json": .json, "tokenizer_config.json": .json, "vocab.json": .json,
        "added_tokens.json": .json, "special_tokens_map.json": .json, "merges.txt": .bytes, "text": .bytes,
      ]),
      seeds: {
        let folder = "ParityTests/Resources/a/model"
        let (text, settings) = (Array(Self.text.utf8), try Fixture.bytes("\(folder)/tokenizer_config.json"))
        return [
          FilesInput([
            ("tokenizer.json", try Fixture.bytes("\(folder)/tokenizer.json")), ("tokenizer_config.json", settings),
            ("text", text),
          ]).bytes,
          FilesInput([
            ("vocab.json", try Fixture.bytes("\(folder)/vocab.json")), ("tokenizer_config.json", settings),
            ("merges.txt", try Fixture.bytes("\(folder)/merges.txt")), ("text", text),
          ]).bytes,
          FilesInput([
            ("tokenizer.json", try Fixture.bytes("HuggingFaceTests/Resources/smollm2/tokenizer.json")), ("text", text),
          ]).bytes,
        ]
      },
      read: { bytes in
        let input = FilesInput(bytes, names: tokenizerFiles)
        WorkFolder.replace(input.files.filter { $0.name != "text" })
        try use(Tokenizer(folder: WorkFolder.path), text: Self.text)
        guard let text = input["text"] else { return }
        try use(Tokenizer(folder: WorkFolder.path), text: String(decoding: text, as: UTF8.self))
      })
  ]

  private static func use(_ tokenizer: Tokenizer, text: String) throws {
    let ids = tokenizer.encode(text)
    require(ids.allSatisfy { (0..<Int32(tokenizer.vocabularySize)).contains($0) }, "an id beyond the vocabulary")
    let fewest = tokenizer.fewestTokens(of: Array(text.utf8), isWhole: true)
    require(fewest <= ids.count, "a text has \(ids.count) tokens, and surely \(fewest)")
    _ = (tokenizer.decode(ids), ids.map(tokenizer.text(of:)), tokenizer.id(of: "<|image_pad|>"), tokenizer.notices)
    _ = [-1, 0, .max].map(tokenizer.text(of:))
  }
}
