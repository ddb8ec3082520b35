// adapter_config.json as PEFT 0.21.2 writes it: each expectation of modules is what PEFT itself adapted in a model of
// four layers.
import Files
import TestSupport
import Testing

@testable import HuggingFace

@Suite("PEFT's adapter_config.json")
struct PEFTConfigurationTests {
  private static let prefix = "model.language_model.layers"

  /// What PEFT writes of a LoRA.
  private static let written = [
    "alora_invocation_tokens": "null", "alpha_pattern": "{}", "arrow_config": "null", "auto_mapping": "null",
    "base_model_name_or_path": "\"model\"", "bias": "\"none\"", "corda_config": "null", "ensure_weight_tying": "false",
    "eva_config": "null", "exclude_modules": "null", "fan_in_fan_out": "false", "inference_mode": "true",
    "init_lora_weights": "true", "kasa_config": "null", "layer_replication": "null", "layers_pattern": "null",
    "layers_to_transform": "null", "loftq_config": "{}", "lora_alpha": "6", "lora_bias": "false", "lora_dropout": "0.0",
    "lora_ga_config": "null", "megatron_config": "null", "megatron_core": "\"megatron.core\"",
    "modules_to_save": "null", "monteclora_config": "null", "peft_type": "\"LORA\"", "peft_version": "\"0.21.2\"",
    "qalora_group_size": "16", "r": "4", "rank_pattern": "{}", "revision": "null",
    "target_modules": "[\"v_proj\", \"q_proj\"]", "target_parameters": "null", "task_type": "\"CAUSAL_LM\"",
    "trainable_token_indices": "null", "use_bdlora": "null", "use_dora": "false", "use_qalora": "false",
    "use_rslora": "false", "velora_config": "null",
  ]

  /// The configuration that PEFT writes, with other keys in place of its own.
  private func configuration(_ keys: String) throws -> PEFTConfiguration {
    guard case .object(let given) = try JSON(parsing: Array("{\(keys)}".utf8), file: "given") else { throw Missing() }
    let own = Self.written.filter { key, _ in !given.contains { $0.key == key } }.map { "\"\($0)\": \($1)" }
    let text = (own + (keys.isEmpty ? [] : [keys])).joined(separator: ", ")
    let folder = try TemporaryFolder(["adapter_config.json": "{\(text)}"])
    defer { withExtendedLifetime(folder) {} }
    return try PEFTConfiguration(folder: folder.path)
  }

  private struct Missing: Error {}

  @Test("the base's name and revision are those of the file, and nothing of them is refused") func baseName() throws {
    #expect(try configuration("").baseName == ModelName(name: "model"))
    #expect(
      try configuration(#""base_model_name_or_path": "org/base", "revision": "0123""#).baseName
        == ModelName(name: "org/base", revision: "0123"))
    for keys in [#""base_model_name_or_path": null, "revision": "0123""#, #""base_model_name_or_path": 7"#] {
      #expect(try configuration(keys).baseName == nil)
    }
    #expect(try configuration(#""revision": 7"#).baseName == ModelName(name: "model"))
  }

  @Test(
    "modules are those that PEFT adapts",
    arguments: [
      ("", "0q 0v 1q 1v 2q 2v 3q 3v"),
      (
        #""target_modules": ["k_proj", "q_proj", "v_proj", "o_proj"]"#,
        "0q 0k 0v 0o 1q 1k 1v 1o 2q 2k 2v 2o 3q 3k 3v 3o"
      ),
      (#""target_modules": ["self_attn.q_proj", "v_proj"]"#, "0q 0v 1q 1v 2q 2v 3q 3v"),
      (
        #""exclude_modules": ["0.self_attn.q_proj", "model.language_model.layers.3.self_attn.v_proj"]"#,
        "0v 1q 1v 2q 2v 3q"
      ),
      (#""exclude_modules": ".*layers\\.[02]\\..*q_proj""#, "0v 1q 1v 2v 3q 3v"),
      (#""exclude_modules": []"#, "0q 0v 1q 1v 2q 2v 3q 3v"),
      (
        """
        "target_modules": ["model.language_model.layers.1.self_attn.q_proj", \
        "model.language_model.layers.2.self_attn.v_proj"]
        """, "1q 2v"
      ),
      (
        """
        "layers_to_transform": [0], "target_modules": ["model.language_model.layers.1.self_attn.q_proj", "v_proj"]
        """, "0v 1q"
      ),
      (#""layers_to_transform": 1"#, "1q 1v"),
      (#""layers_to_transform": [0, 2]"#, "0q 0v 2q 2v"),
      (#""layers_to_transform": []"#, "0q 0v 1q 1v 2q 2v 3q 3v"),
      (#""layers_to_transform": [1, 3], "layers_pattern": "layers""#, "1q 1v 3q 3v"),
      (#""layers_to_transform": [3], "layers_pattern": ["blocks", "language_model.layers"]"#, "3q 3v"),
      (#""layers_to_transform": [3], "layers_pattern": ["blocks", "h"]"#, ""),
      (#""layers_to_transform": [3], "layers_pattern": []"#, "3q 3v"),
      (#""target_modules": ".*language_model.*\\.(q_proj|v_proj)""#, "0q 0v 1q 1v 2q 2v 3q 3v"),
      (
        #""target_modules": "^(model\\.language_model(?=\\.).*\\.(q_proj|o_proj))$""#, "0q 0o 1q 1o 2q 2o 3q 3o"
      ),
      (#""target_modules": "^(?!.*visual).*(?:q_proj|v_proj).*""#, "0q 0v 1q 1v 2q 2v 3q 3v"),
      (
        """
        "target_modules": "(?:.*?(?:language|text).*?(?:self_attn|attention|attn).*?(?:q_proj|k_proj).*?)|\
        (?:\\\\bmodel\\\\.layers\\\\.[\\\\d]{1,}\\\\.(?:self_attn|attention|attn)\\\\.(?:(?:q_proj|k_proj)))"
        """, "0q 0k 1q 1k 2q 2k 3q 3k"
      ),
      (#""target_modules": ".*\\blayers\\b\\.[^0-1]\\.\\w+\\.[qv]_proj""#, "2q 2v 3q 3v"),
      (#""target_modules": ".*(?<=layers\\.)[13]\\.self_attn\\.(?P<p>[kv])_proj""#, "1k 1v 3k 3v"),
      (#""target_modules": "q_proj""#, ""),
    ])
  func modules(keys: String, expected: String) throws {
    let modules = try configuration(keys).modules
    var effort = PEFTEffort()
    let found = try (0..<4).flatMap { layer in
      try ["q", "k", "v", "o"].filter { try modules.adapts("\(Self.prefix).\(layer).self_attn.\($0)_proj", &effort) }
        .map { "\(layer)\($0)" }
    }
    #expect(found.joined(separator: " ") == expected, "\(keys)")
  }

  @Test(
    "keys that change no result of a trained adapter are read over",
    arguments: [
      #""init_lora_weights": "gaussian""#, #""init_lora_weights": "eva", "eva_config": {"rho": 2.0}"#,
      #""init_lora_weights": "orthogonal""#, #""init_lora_weights": "mica""#, #""init_lora_weights": false"#,
      #""lora_dropout": 0.3"#, #""inference_mode": false"#, #""task_type": null"#, #""peft_version": "0.30.0""#,
      #""auto_mapping": {"base_model_class": "Qwen2_5_VLForConditionalGeneration", "unsloth_fixed": true}"#,
      #""loftq_config": {"loftq_bits": 4}"#, #""corda_config": {"verbose": false}"#, #""layer_replication": []"#,
      #""runtime_config": {"ephemeral_gpu_offload": true}"#, #""enable_lora": null"#, #""merge_weights": false"#,
      #""some_later_config": {}, "some_later_list": [], "some_later_name": """#, #""ensure_weight_tying": true"#,
    ])
  func readOver(keys: String) throws {
    let read = try configuration(keys)
    #expect(read.rank == 4 && read.alpha == 6)
  }

  @Test("ranks and alphas of modules are those that PEFT gives them")
  func patterns() throws {
    let keys = """
      "rank_pattern": {"layers.1.self_attn.q_proj": 2, "q_proj": 8, "^model.*v_proj": 1, "layers": 3},
      "alpha_pattern": {"(?:k|v)_proj": 12, "model.language_model.layers.0.mlp.up_proj": 5}
      """
    func sizes(_ keys: String) throws -> [String] {
      let read = try configuration(keys)
      var effort = PEFTEffort()
      return try ["1.self_attn.q", "0.self_attn.q", "0.self_attn.v", "0.mlp.up", "11.self_attn.q"].map { name in
        let (rank, alpha) = try read.size(of: "\(Self.prefix).\(name)_proj", &effort)
        return "\(rank) \(alpha)"
      }
    }
    #expect(try sizes(keys) == ["2 6.0", "8 6.0", "1 12.0", "4 5.0", "8 6.0"])
    #expect(
      try sizes(keys + #", "use_rslora": true"#).map { $0.prefix(6) }
        == ["2 8.48", "8 16.9", "1 12.0", "4 10.0", "8 16.9"])
  }

  @Test("all-linear names every linear module of decoder and tower, and nothing else")
  func allLinear() throws {
    for text in ["\"all-linear\"", "\"All-Linear\""] {
      let modules = try configuration("\"target_modules\": \(text)").modules
      var effort = PEFTEffort()
      for name in [
        "\(Self.prefix).0.self_attn.q_proj", "\(Self.prefix).3.mlp.down_proj", "model.visual.blocks.0.attn.qkv",
        "model.visual.merger.mlp.0", "model.visual.merger.linear_fc2",
      ] { #expect(try modules.adapts(name, &effort), "\(name)") }
      for name in [
        "lm_head", "model.language_model.embed_tokens", "model.visual.patch_embed.proj",
        "\(Self.prefix).0.linear_attn.conv1d",
      ] { #expect(try !modules.adapts(name, &effort), "\(name)") }
    }
  }

  @Test("alpha with use_rslora is that of alpha / sqrt(rank)")
  func rankStabilised() throws { #expect(try configuration(#""use_rslora": true"#).alpha == 12) }

  @Test(
    "what changes results is refused by its key",
    arguments: [
      ("use_dora", "true"), ("lora_bias", "true"), ("bias", "\"all\""), ("bias", "\"lora_only\""),
      ("fan_in_fan_out", "true"), ("modules_to_save", "[\"lm_head\"]"), ("trainable_token_indices", "[1, 2]"),
      ("trainable_token_indices", "{\"embed_tokens\": [1]}"), ("target_parameters", "[\"mlp.experts\"]"),
      ("layer_replication", "[[0, 2], [1, 3]]"), ("megatron_config", "{\"a\": 1}"), ("megatron_config", "{}"),
      ("rank_pattern", "{\"q_proj\": 0}"), ("rank_pattern", "{\"q_proj\": 1.5}"), ("rank_pattern", "[1]"),
      ("alpha_pattern", "{\"q_proj\": \"2\"}"), ("alpha_pattern", "{\"(\": 2}"), ("init_lora_weights", "\"pissa\""),
      ("init_lora_weights", "\"pissa_niter_16\""), ("init_lora_weights", "\"olora\""),
      ("init_lora_weights", "\"corda\""), ("init_lora_weights", "\"loftq\""), ("init_lora_weights", "\"lora_ga\""),
      ("init_lora_weights", "\"later\""), ("init_lora_weights", "3"), ("use_qalora", "true"), ("use_bdlora", "{}"),
      ("alora_invocation_tokens", "[5]"), ("arrow_config", "{\"top_k\": 3}"), ("kasa_config", "{\"beta\": 1}"),
      ("velora_config", "{}"), ("monteclora_config", "{}"), ("some_later_key", "true"), ("some_later_key", "0.5"),
      ("some_later_key", "{\"a\": 0}"), ("target_modules", "[\"q_proj\", \"attn.kqv\"]"),
      ("target_modules", "[\"xq_proj\"]"),
      ("target_modules", "\"(?i).*Q_PROJ\""), ("exclude_modules", "\"(\""), ("exclude_modules", "[3]"),
      ("exclude_modules", "7"), ("layers_pattern", "\"layers\""), ("layers_to_transform", "[-1]"),
      ("layers_to_transform", "\"1\""), ("peft_type", "\"LOHA\""), ("r", "0"), ("lora_alpha", "\"6\""),
    ])
  func refuses(key: String, value: String) {
    expectError("adapter_config.json", key) { _ = try configuration("\"\(key)\": \(value)") }
  }

  @Test("combinations that PEFT refuses are refused")
  func combinations() {
    for key in [#""layers_to_transform": [0]"#, #""layers_pattern": "layers""#] {
      expectError("beside a regular expression in target_modules") {
        _ = try configuration(#""target_modules": ".*q_proj", "# + key)
      }
    }
    expectError("layers_pattern with |") {
      _ = try configuration(#""layers_to_transform": [0], "layers_pattern": "layers|h""#)
    }
    expectError("use_dora", "given twice") { _ = try configuration(#""use_dora": false, "use_dora": true"#) }
  }

  @Test("a regular expression that takes too long is refused when it is used")
  func tooComplex() throws {
    let nested = String(repeating: "(.?", count: 30) + String(repeating: "){1,900}", count: 30) + "b"
    let modules = try configuration("\"target_modules\": \"\(nested)\"").modules
    var effort = PEFTEffort()
    expectError("target_modules", "too complex") { _ = try modules.adapts("model.layers.0.self_attn.q_proj", &effort) }
  }
}
