// config.json in both forms, and every way in which it can be wrong.
import Foundation
import Testing

@testable import HuggingFace

@Suite struct ModelConfigurationTests {
  @Test("The released 7B configuration, flat form")
  func released7B() throws {
    let model = try ModelConfiguration(folder: Fixtures.path("qwen2.5-vl"))
    #expect(model.family == .qwen2_5_vl)
    #expect(model.text.hiddenSize == 3584 && model.text.layers == 28 && model.text.headDimension == 128)
    #expect(model.text.attentionHeads == 28 && model.text.kvHeads == 4 && model.text.vocabularySize == 152064)
    #expect(
      model.text.mropeSection == [16, 24, 24] && model.text.ropeTheta == 1e6 && model.text.rmsNormEpsilon == 1e-6)
    #expect(!model.text.tieWordEmbeddings && model.text.maxPositionEmbeddings == 128000)
    #expect(model.vision.depth == 32 && model.vision.headDimension == 80 && model.vision.patchNumbers == 1176)
    #expect(model.vision.fullAttentionBlocks == [7, 15, 23, 31] && model.vision.windowSize == 112)
    #expect(model.imageTokenID == 151655 && model.visionStartTokenID == 151652)
    #expect(model.endTokenIDs == [151645, 151643], "generation_config.json wins")
  }

  @Test("The released 3B configuration ties its embeddings and ends at its own eos_token_id")
  func released3B() throws {
    let text = try String(contentsOfFile: Fixtures.path("qwen2.5-vl/config-3b.json"), encoding: .utf8)
    let folder = try TemporaryFolder(["config.json": text])
    let model = try ModelConfiguration(folder: folder.path)
    #expect(model.text.tieWordEmbeddings && model.text.kvHeads == 2 && model.text.headDimension == 128)
    #expect(model.endTokenIDs == [151645])
  }

  static let text = #"""
    "hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 6, "num_attention_heads": 12,
    "num_key_value_heads": 3, "rms_norm_eps": 1e-06, "vocab_size": 2304, "eos_token_id": 2258, "hidden_act": "silu",
    "layer_types": ["full_attention"], "sliding_window": null, "use_sliding_window": false,
    "rope_parameters": {"mrope_section": [2, 3, 3], "rope_theta": 1000000.0, "rope_type": "default"}
    """#
  static let nested = #"""
    {"model_type": "qwen2_5_vl", "image_token_id": 2268, "video_token_id": 2269, "vision_start_token_id": 2265,
     "vision_end_token_id": 2266, "tie_word_embeddings": false, "text_config": {\#(text)},
     "vision_config": {"depth": 3, "fullatt_block_indexes": [2], "hidden_act": "silu", "hidden_size": 80,
     "in_channels": 3, "intermediate_size": 200, "num_heads": 5, "out_hidden_size": 192, "patch_size": 14,
     "rope_parameters": {"rope_theta": 10000.0, "rope_type": "axial"}, "spatial_merge_size": 2,
     "temporal_patch_size": 2, "tokens_per_second": 2, "window_size": 112}}
    """#

  @Test("The nested form of transformers 5")
  func nested() throws {
    let folder = try TemporaryFolder(["config.json": Self.nested])
    let model = try ModelConfiguration(folder: folder.path)
    #expect(model.text.headDimension == 16 && model.text.mropeSection == [2, 3, 3] && model.text.ropeTheta == 1e6)
    #expect(model.vision.headDimension == 16 && model.vision.fullAttentionBlocks == [2])
    #expect(model.endTokenIDs == [2258] && model.videoTokenID == 2269)
    #expect(model.text.maxPositionEmbeddings == 32768, "transformers' default")
  }

  @Test(
    "A wrong, missing, inconsistent or unsupported key is an error that names it",
    arguments: [
      (#""model_type": "qwen2_5_vl""#, #""model_type": "qwen3_vl""#, "qwen3_vl"),
      (#""hidden_size": 192"#, #""hidden_size": 0"#, "hidden_size"),
      (#""hidden_size": 192"#, #""hidden_size": -192"#, "hidden_size"),
      (#""hidden_size": 192"#, #""hidden_size": "192""#, "hidden_size"),
      (#""hidden_size": 192"#, #""hidden_size": 192.5"#, "hidden_size"),
      (#""hidden_size": 192"#, #""hidden_size": 9223372036854775807"#, "hidden_size"),
      (#""hidden_size": 192"#, #""hidden_size": 192, "hidden_size": 192"#, "given twice"),
      (#""num_attention_heads": 12"#, #""num_attention_heads": 13"#, "num_attention_heads"),
      (#""num_key_value_heads": 3"#, #""num_key_value_heads": 5"#, "num_key_value_heads"),
      (#""num_hidden_layers": 6"#, #""num_hidden_layers": 100000"#, "num_hidden_layers"),
      ("[2, 3, 3]", "[2, 3, 4]", "mrope_section"),
      ("[2, 3, 3]", "[8]", "mrope_section"),
      ("[2, 3, 3]", "[-2, 5, 5]", "mrope_section"),
      (#""rope_type": "default""#, #""rope_type": "yarn""#, "yarn"),
      (#""rope_type": "default""#, #""rope_type": "default", "mrope_interleaved": true"#, "mrope_interleaved"),
      (#""hidden_act": "silu", "hidden_size""#, #""hidden_act": "gelu", "hidden_size""#, "vision_config.hidden_act"),
      (#""hidden_act": "silu","#, #""hidden_act": "relu","#, "hidden_act"),
      (#""use_sliding_window": false"#, #""use_sliding_window": true"#, "use_sliding_window"),
      ("full_attention", "sliding_attention", "layer_types"),
      (#""vocab_size": 2304"#, #""vocab_size": 2260"#, "image_token_id"),
      (#""eos_token_id": 2258"#, #""eos_token_id": 2304"#, "eos_token_id"),
      (#""eos_token_id": 2258"#, #""eos_token_id": []"#, "eos_token_id"),
      (#""eos_token_id": 2258,"#, "", "eos_token_id"),
      (#""num_heads": 5"#, #""num_heads": 3"#, "num_heads"),
      (#""out_hidden_size": 192"#, #""out_hidden_size": 190"#, "out_hidden_size"),
      (#""fullatt_block_indexes": [2]"#, #""fullatt_block_indexes": [3]"#, "fullatt_block_indexes"),
      (#""window_size": 112"#, #""window_size": 27"#, "window_size"),
      (#""depth": 3"#, #""depth": 0"#, "depth"),
      (#""rope_type": "axial""#, #""rope_type": "other""#, "rope_type"),
      (#""vision_config""#, #""visions""#, "vision_config"),
      (#""tie_word_embeddings": false"#, #""tie_word_embeddings": 1"#, "tie_word_embeddings"),
      (#""tie_word_embeddings": false"#, #""quantization_config": {}"#, "quantization_config"),
    ])
  func wrong(_ change: (String, String, String)) throws {
    let changed = Self.nested.replacingOccurrences(of: change.0, with: change.1)
    #expect(changed != Self.nested)
    let folder = try TemporaryFolder(["config.json": changed])
    expectError("config.json", change.2) { _ = try ModelConfiguration(folder: folder.path) }
  }

  @Test("A missing, empty or endless config.json is an error that names the file")
  func noFile() throws {
    let folder = try TemporaryFolder()
    expectError("config.json", "No such file") { _ = try ModelConfiguration(folder: folder.path) }
    try folder.write("config.json", [])
    expectError("config.json", "ends too early") { _ = try ModelConfiguration(folder: folder.path) }
    try folder.write("config.json", [UInt8](repeating: 0x20, count: 17 << 20))
    expectError("config.json", "at most") { _ = try ModelConfiguration(folder: folder.path) }
    expectError("not a regular file") { _ = try MappedFile(path: folder.path) }
  }
}
