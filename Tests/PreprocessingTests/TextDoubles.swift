// A tokenizer of bytes and special tokens, and Qwen2.5-VL's template in Swift: test doubles with nothing to load.
import Files
import HuggingFace
import Preprocessing

/// A byte is its own token; special tokens begin at 1000.
struct ByteEncoding: TextEncoding {
  static let special = [
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
    "<|video_pad|>",
  ]
  static let image = Int32(1005)

  func id(of token: String) -> Int32? { Self.special.firstIndex(of: token).map { Int32(1000 + $0) } }

  func encode(_ text: String) -> [Int32] {
    var ids: [Int32] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.first {
      if let index = Self.special.firstIndex(where: { rest.starts(with: $0.utf8) }) {
        ids.append(Int32(1000 + index))
        rest = rest.dropFirst(Self.special[index].utf8.count)
      } else {
        ids.append(Int32(byte))
        rest = rest.dropFirst()
      }
    }
    return ids
  }

  /// The text of ids, an image's tokens written once.
  func decode(_ ids: some Sequence<Int32>) -> String {
    var bytes: [UInt8] = []
    var previous: Int32 = 0
    for id in ids {
      if id >= 1000, id != Self.image || previous != id { bytes += Self.special[Int(id) - 1000].utf8 }
      if id < 1000 { bytes.append(UInt8(id)) }
      previous = id
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

struct QwenTemplate: PromptRendering {
  func render(
    _ messages: [ChatTemplate.Message], tools: [JSON], addGenerationPrompt: Bool, thinking: Bool? = nil
  ) -> String {
    var text = ""
    if let first = messages.first, first.role != "system" {
      text += "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    }
    for message in messages {
      text += "<|im_start|>\(message.role)\n"
      for part in message.content {
        switch part {
        case .text(let words): text += words
        case .image: text += "<|vision_start|><|image_pad|><|vision_end|>"
        }
      }
      text += "<|im_end|>\n"
    }
    return addGenerationPrompt ? text + "<|im_start|>assistant\n" : text
  }
}

/// Any closure as a template.
struct ClosureTemplate: PromptRendering {
  var body: @Sendable ([ChatTemplate.Message], Bool) throws -> String
  func render(
    _ messages: [ChatTemplate.Message], tools: [JSON], addGenerationPrompt: Bool, thinking: Bool?
  ) throws -> String {
    try body(messages, addGenerationPrompt)
  }
}
