// config.json in both forms, and every way in which it can be wrong.
import Foundation
import TestSupport
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

  @Test("The released 8B configuration of Qwen3-VL")
  func released8B() throws {
    let model = try ModelConfiguration(folder: Fixtures.path("qwen3-vl"))
    #expect(model.family == .qwen3_vl && model.family.name == "Qwen3-VL")
    #expect(model.text.hiddenSize == 4096 && model.text.layers == 36 && model.text.intermediateSize == 12288)
    #expect(model.text.attentionHeads == 32 && model.text.kvHeads == 8 && model.text.headDimension == 128)
    #expect(model.text.queryKeyNorm && !model.text.qkvBias && model.text.ropeTheta == 5e6)
    #expect(model.text.mropeInterleaved && model.text.mropeSection == [24, 20, 20])
    // Height and width have 20 pairs each, in turn with time's up to pair 60; the last four are time's.
    #expect(model.text.mropeAxes == (0..<20).flatMap { _ in [0, 1, 2] } + [0, 0, 0, 0])
    #expect(model.vision.depth == 27 && model.vision.headDimension == 72 && model.vision.patchNumbers == 1536)
    #expect(model.vision.windowSize == nil && model.vision.fullAttentionBlocks.isEmpty)
    #expect(model.vision.norm == .layer && model.vision.mlp == .tanhGELU && model.vision.patchBias)
    #expect(model.vision.positionEmbeddings == 2304 && model.vision.deepstackBlocks == [8, 16, 24])
    #expect(model.vision.featureColumns == 4 * 4096 && model.endTokenIDs == [151645])
  }

  static let qwen3 = #"""
    {"model_type": "qwen3_vl", "image_token_id": 2268, "video_token_id": 2269, "vision_start_token_id": 2265,
     "vision_end_token_id": 2266, "text_config": {"tie_word_embeddings": true, "attention_bias": false,
     "head_dim": 32, "hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 6, "num_attention_heads": 12,
     "num_key_value_heads": 3, "vocab_size": 2304, "eos_token_id": 2258, "hidden_act": "silu",
     "rope_parameters": {"mrope_interleaved": true, "mrope_section": [6, 5, 5], "rope_theta": 5000000.0}},
     "vision_config": {"deepstack_visual_indexes": [0, 1], "depth": 3, "hidden_act": "gelu_pytorch_tanh",
     "hidden_size": 80, "intermediate_size": 200, "num_heads": 5, "num_position_embeddings": 100,
     "out_hidden_size": 192, "patch_size": 16, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "axial"}}}
    """#

  @Test("Qwen3-VL in the nested form of transformers 5, and flat; heads need not divide the hidden size")
  func qwen3() throws {
    func configuration(_ text: String) throws -> ModelConfiguration {
      let folder = try TemporaryFolder(["config.json": text])
      return try withExtendedLifetime(folder) { try ModelConfiguration(folder: folder.path) }
    }
    let nested = try configuration(Self.qwen3)
    #expect(nested.text.headDimension == 32 && nested.text.ropeTheta == 5e6 && nested.text.tieWordEmbeddings)
    #expect(nested.text.mropeAxes == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    #expect(nested.vision.deepstackBlocks == [0, 1] && nested.vision.positionEmbeddings == 100)
    let text = Self.qwen3.replacingOccurrences(of: #""text_config": {"#, with: "")
      .replacingOccurrences(of: "5000000.0}}", with: "5000000.0}")
    #expect(try configuration(text) == nested)
    let exact = Self.qwen3.replacingOccurrences(of: "gelu_pytorch_tanh", with: "gelu")
    #expect(try configuration(exact).vision.mlp == .exactGELU)
  }

  @Test(
    "What Qwen3-VL's configuration may not say is an error that names it",
    arguments: [
      (#""head_dim": 32"#, #""head_dim": 31"#, "head_dim"), (#""head_dim": 32"#, #""head_dim": 0"#, "head_dim"),
      (#""attention_bias": false"#, #""attention_bias": true"#, "attention_bias"),
      (#""mrope_interleaved": true"#, #""mrope_interleaved": false"#, "mrope_interleaved"),
      ("[6, 5, 5]", "[6, 5, 6]", "mrope_section"), ("gelu_pytorch_tanh", "silu", "vision_config.hidden_act"),
      (#""hidden_act": "silu""#, #""hidden_act": "gelu""#, "text_config.hidden_act"),
      (#""deepstack_visual_indexes": [0, 1]"#, #""deepstack_visual_indexes": [1, 0]"#, "deepstack_visual_indexes"),
      (#""deepstack_visual_indexes": [0, 1]"#, #""deepstack_visual_indexes": [0, 3]"#, "deepstack_visual_indexes"),
      (#""num_position_embeddings": 100"#, #""num_position_embeddings": 0"#, "num_position_embeddings"),
      (#""model_type": "qwen3_vl""#, #""model_type": "qwen3_vl_moe""#, "\"qwen3_vl_moe\" (mixture of experts)"),
      (#""attention_bias": false"#, #""num_experts": 8"#, "num_experts 8 (mixture of experts)"),
      (#""attention_bias": false"#, #""quantization_config": {}"#, "text_config.quantization_config"),
    ])
  func wrongQwen3(_ change: (String, String, String)) throws {
    let changed = Self.qwen3.replacingOccurrences(of: change.0, with: change.1)
    #expect(changed != Self.qwen3)
    let folder = try TemporaryFolder(["config.json": changed])
    expectError("config.json", change.2) { _ = try ModelConfiguration(folder: folder.path) }
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

  @Test("Qwen2-VL: the released form, whose vision_config calls its widths otherwise")
  func qwen2() throws {
    let config = #"""
      {"model_type": "qwen2_vl", "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
       "num_attention_heads": 12, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "vocab_size": 151936,
       "rope_theta": 1000000.0, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
       "use_sliding_window": false, "sliding_window": 32768, "tie_word_embeddings": true, "hidden_act": "silu",
       "vision_config": {"depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "in_chans": 3,
       "hidden_size": 1536, "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14,
       "temporal_patch_size": 2}}
      """#
    func model(_ text: String) throws -> ModelConfiguration {
      let folder = try TemporaryFolder(["config.json": text])
      return try ModelConfiguration(folder: folder.path)
    }
    let found = try model(config)
    #expect(found.family == .qwen2_vl && found.text.headDimension == 128 && found.text.qkvBias)
    let vision = found.vision
    #expect(vision.hiddenSize == 1280 && vision.intermediateSize == 5120 && vision.outHiddenSize == 1536)
    #expect(vision.windowSize == nil && vision.norm == .layer && vision.mlp == .quickGELU && !vision.patchBias)
    expectError("vision_config.hidden_size", "1535") {
      _ = try model(
        config.replacingOccurrences(of: #""hidden_size": 1536, "patch"#, with: #""hidden_size": 1535, "patch"#))
    }
    expectError("vision_config.mlp_ratio") {
      _ = try model(config.replacingOccurrences(of: #""mlp_ratio": 4"#, with: #""mlp_ratio": 0"#))
    }
    expectError("vision_config.hidden_act") {
      _ = try model(config.replacingOccurrences(of: #""mlp_ratio": 4"#, with: #""hidden_act": "gelu""#))
    }
  }

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
      (#""model_type": "qwen2_5_vl""#, #""model_type": "qwen2""#, "\"qwen2\" is not"),
      (#""model_type": "qwen2_5_vl""#, #""model_type": "gemma4""#, "(Gemma)"),
      (#""model_type": "qwen2_5_vl""#, #""model_type": "smolvlm""#, "(SmolVLM)"),
      (#""model_type": "qwen2_5_vl""#, #""model_type": "qwen3_5_text""#, "without its vision tower"),
      (#""model_type": "qwen2_5_vl""#, #""model_type": "qwen3_5_moe""#, "Qwen2-VL (qwen2_vl), Qwen2.5-VL"),
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
