// Valid files with a few bytes changed at random: they load or are refused, they never crash.
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct MutationTests {
  /// A small linear congruential generator, so that every run makes the same files (Knuth's MMIX constants).
  struct Generator {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }

    /// `bytes` with one to four places overwritten, doubled or cut out; interesting bytes are likelier.
    mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
      var bytes = bytes
      let likely = Array("{}[]()\"':,.|%-+019eE\\ ".utf8) + [0, 0x7F, 0xC3, 0xED, 0xFF]
      for _ in 0...below(4) {
        let place = below(bytes.count)
        let length = min(1 + below(8), bytes.count - place)
        switch below(3) {
        case 0: bytes[place] = below(2) == 0 ? likely[below(likely.count)] : UInt8(below(256))
        case 1: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
        default: if bytes.count > length { bytes.removeSubrange(place..<place + length) }
        }
      }
      return bytes
    }
  }

  /// Feeds mutations of `bytes` to `body`; counts how many of them it took without an error.
  func accepted(_ bytes: [UInt8], times: Int, _ body: ([UInt8]) throws -> Void) throws -> Int {
    var generator = Generator(state: 1)
    var accepted = 0
    for _ in 0..<times {
      do {
        try body(generator.mutate(bytes))
        accepted += 1
      } catch let error as HuggingFaceError {
        #expect(!error.description.contains("\n"))
      }
    }
    return accepted
  }

  @Test("safetensors files")
  func checkpoints() throws {
    let folder = try TemporaryFolder()
    let count = try accepted(CheckpointTests.file(CheckpointTests.header, data: 32), times: 1500) { bytes in
      try folder.write("model.safetensors", bytes)
      let checkpoint = try Checkpoint(folder: folder.path)
      for name in checkpoint.names {
        _ = try? checkpoint.tensor(name, shape: checkpoint.shape(of: name) ?? [])
      }
      _ = checkpoint.digest
    }
    #expect((1..<1500).contains(count), "both outcomes occur")
  }

  @Test("config.json")
  func configurations() throws {
    let folder = try TemporaryFolder()
    let count = try accepted(Array(ModelConfigurationTests.nested.utf8), times: 1000) { bytes in
      try folder.write("config.json", bytes)
      _ = try ModelConfiguration(folder: folder.path)
    }
    #expect((1..<1000).contains(count))
  }

  @Test("tokenizer.json")
  func tokenizers() throws {
    let folder = try TemporaryFolder()
    let count = try accepted(Array(TokenizerFilesTests.document().utf8), times: 300) { bytes in
      try folder.write("tokenizer.json", bytes)
      _ = try Tokenizer(folder: folder.path).encode("abc a<|x|>é e\u{301}\n")
    }
    #expect((1..<300).contains(count))
  }

  @Test("Chat templates", arguments: ["qwen2.5-vl/chat_template.json", "qwen3-vl/chat_template.jinja"])
  func templates(_ name: String) throws {
    let message = ChatTemplate.Message(role: "user", content: [.image, .text("a")])
    let count = try accepted(MappedFile(path: Fixtures.path(name)).copy(), times: 400) { bytes in
      let source = String(decoding: bytes, as: UTF8.self).replacing("\\n", with: "\n")
      let template = try ChatTemplate(source: source, file: name, specialTokens: [:])
      _ = try template.render([message, message], addGenerationPrompt: true)
    }
    #expect((1..<400).contains(count))
  }
}
