// A complete model folder of a few thousand random parameters, written by the test that needs it.
import Adapters
import Datasets
import Foundation
import HuggingFace
import RandomNumbers
import QwenVL
import TestSupport
import Batches

/// A Hugging Face folder with all that a run opens, removed with its last reference: two decoder layers of one KV head
/// (of Qwen3.5 one, between two of linear attention), a vision tower of two blocks, a tokenizer of bytes.
package final class TinyModel: Sendable {
  package let folder: String
  private let owner: TemporaryFolder
  static let vocabularySize = 272
  /// Added tokens after the 256 bytes.
  static let special = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>", "<|box_start|>", "<|box_end|>",
  ]

  /// The id of an added token.
  package static func id(_ token: String) -> Int32 { Int32(256 + (special.firstIndex(of: token) ?? 0)) }

  /// - Parameters:
  ///   - endTokens: what ends a generation.
  ///   - spoiled: ASCII characters whose embeddings are not finite; examples without them compute as ever.
  package init(
    _ family: ModelConfiguration.Family = .qwen2_5_vl, endTokens: [Int32] = [TinyModel.id("<|im_end|>")],
    maxPositions: Int = 512, spoiled: [Character: Float] = [:]
  ) throws {
    owner = try TemporaryFolder()
    folder = owner.path
    try write("config.json", Self.configuration(family, maxPositions: maxPositions))
    try write("generation_config.json", ["eos_token_id": endTokens])
    try write("preprocessor_config.json", ["min_pixels": 3136, "max_pixels": 12544])
    try write("chat_template.json", ["chat_template": Self.template])
    try writeTokenizer()
    try owner.write("model.safetensors", Array(Self.weights(family, spoiled: spoiled)))
  }

  /// The model, opened.
  package func base() throws -> BaseModel { try BaseModel(folder: folder) }

  /// An adapter on all heads with parameters large enough to change answers.
  package static func adapter(for base: BaseModel) -> ImageLoRA<Float> {
    let text = base.configuration.text
    let adapter = ImageLoRA<Float>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: everywhere(text, [0])), text: text)
    var source = NormalSource(seed: 5)
    adapter.load((0..<adapter.layout.count).map { _ in Float(source.nextGaussian()) })
    return adapter
  }

  /// The same for each layer of full attention.
  private static func everywhere<Value>(_ text: TextConfiguration, _ value: Value) -> [Int: Value] {
    Dictionary(uniqueKeysWithValues: text.attentionLayers.map { ($0, value) })
  }

  /// A standard LoRA on all four projections of every attention.
  package static func lora(for base: BaseModel) -> LoRA<Float> {
    let text = base.configuration.text
    let adapter = LoRA<Float>(
      LoRAConfiguration(rank: 2, alpha: 4, targets: everywhere(text, Projection.attention)), text: text, vision: nil)
    var source = NormalSource(seed: 6)
    adapter.load((0..<adapter.layout.count).map { _ in Float(source.nextGaussian()) * 0.3 })
    return adapter
  }

  private func write(_ name: String, _ object: Any) throws {
    try owner.write(name, Array(JSONSerialization.data(withJSONObject: object)))
  }

  private static func configuration(_ family: ModelConfiguration.Family, maxPositions: Int) -> [String: Any] {
    let rope: [String: Any]
    var tower: [String: Any] = ["num_position_embeddings": 9]
    var linear: [String: Any] = [:]
    switch family {
    case .qwen2_vl:
      rope = ["type": "mrope", "mrope_section": [2, 1, 1]]
      // A third of the usual ratio would be no whole number of columns.
      tower = ["embed_dim": 16, "mlp_ratio": 1.5]
    case .qwen2_5_vl:
      rope = ["type": "mrope", "mrope_section": [2, 1, 1]]
      tower = ["window_size": 112, "fullatt_block_indexes": [1], "tokens_per_second": 2]
    case .qwen3_vl:
      rope = ["rope_type": "default", "mrope_interleaved": true, "mrope_section": [4, 2, 2]]
      tower["deepstack_visual_indexes"] = [0]
    case .qwen3_5:
      rope = [
        "rope_type": "default", "mrope_interleaved": true, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5,
      ]
      linear = [
        "layer_types": ["linear_attention", "full_attention", "linear_attention"], "linear_num_key_heads": 1,
        "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
      ]
    }
    let shape: [String: Any] = [
      "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 16, "patch_size": 14,
      "spatial_merge_size": 2, "temporal_patch_size": 2,
    ]
    let decoder: [String: Any] = [
      "model_type": family.rawValue, "hidden_size": 16, "intermediate_size": 24,
      "num_hidden_layers": layers(family),
      "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
      "rope_scaling": rope, "head_dim": statesHeads(family) ? 16 : 8, "tie_word_embeddings": false,
      "vocab_size": vocabularySize, "max_position_embeddings": maxPositions,
      "image_token_id": Int(id("<|image_pad|>")), "video_token_id": Int(id("<|video_pad|>")),
      "vision_start_token_id": Int(id("<|vision_start|>")), "vision_end_token_id": Int(id("<|vision_end|>")),
      "vision_config": shape.merging(tower) { $1 },
    ]
    return decoder.merging(linear) { $1 }
  }

  /// Whether the family states what a head has; the others cut the hidden size.
  static func statesHeads(_ family: ModelConfiguration.Family) -> Bool { [.qwen3_vl, .qwen3_5].contains(family) }

  static func layers(_ family: ModelConfiguration.Family) -> Int { family == .qwen3_5 ? 3 : 2 }

  private static let template =
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    + "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    + "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    + "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content %}"
    + "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    + "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

  /// A tokenizer of single bytes: GPT-2's names for them, no merges.
  private func writeTokenizer() throws {
    let printable = (Set(33...126).union(161...172).union(174...255))
    var others: UInt32 = 256
    var vocabulary: [String: Int] = [:]
    for byte in 0..<256 {
      let scalar = printable.contains(byte) ? Unicode.Scalar(UInt32(byte)) : Unicode.Scalar(others)
      if !printable.contains(byte) { others += 1 }
      vocabulary[scalar.map { String(Character($0)) } ?? ""] = byte
    }
    try write("vocab.json", vocabulary)
    try owner.write("merges.txt", Array("#version: 0.2\n".utf8))
    let added = Self.special.map { token -> (String, [String: Any]) in
      ("\(Self.id(token))", ["content": token, "special": true])
    }
    try write(
      "tokenizer_config.json",
      ["tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": Dictionary(uniqueKeysWithValues: added)])
  }
}
