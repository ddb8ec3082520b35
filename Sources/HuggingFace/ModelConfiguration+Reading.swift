// Reading config.json: the flat form of the released checkpoints and the nested form of transformers 5.
// Upper limits lie far above any real model and so low that no product of three sizes overflows.

extension ModelConfiguration {
  /// The model's shape from `folder`'s config.json, end tokens from its generation_config.json where present;
  /// absent keys take the defaults of transformers' classes (`Qwen2_5_VLConfig` and its like).
  ///
  /// - Throws: `HuggingFaceError` that names the key which is missing, out of range, inconsistent or unsupported.
  package init(folder: String) throws {
    let files = ModelFolder(path: folder)
    try files.requireThere()
    let root = try files.fields("config.json")
    let type = try root.string("model_type")
    guard let family = Family(rawValue: type) else {
      let known = Family.allCases.map { "\($0.name) (\($0.rawValue))" }.joined(separator: ", ")
      throw root.unsupported(
        "model_type \"\(type)\"\(Self.knownAs(type))", use: "a dense checkpoint of one of \(known)")
    }
    let nested = try root.object("text_config")
    for fields in [root, nested].compactMap(\.self) where fields["quantization_config"] != nil {
      throw fields.unsupported("quantization_config", use: "the unquantised checkpoint (BF16, F16 or F32)")
    }
    if let other = root["transformers_weights"], other != .string(WeightFiles.single) {
      throw root.unsupported(
        "transformers_weights \(Fields.show(other))", use: "\(WeightFiles.single) or shards with \(WeightFiles.index)")
    }
    let text = try TextConfiguration(nested ?? root, family, tied: Self.isTied(root: root, nested: nested))
    guard let visionFields = try root.object("vision_config") else { throw root.failure("vision_config", "missing") }
    let vision = try VisionConfiguration(visionFields, family)
    guard vision.outHiddenSize == text.hiddenSize else {
      throw visionFields.failure(
        family == .qwen2_vl ? "hidden_size" : "out_hidden_size",
        "\(vision.outHiddenSize) is not the decoder's hidden_size \(text.hiddenSize)")
    }

    func token(_ key: String, default fallback: Int) throws -> Int32 {
      let id = try root.integer(key, in: 0...(1 << 21), default: fallback)
      guard id < text.vocabularySize else {
        throw root.failure(key, "token \(id) is outside the vocabulary of \(text.vocabularySize)")
      }
      return Int32(id)
    }
    self.family = family
    self.vision = vision
    self.text = text
    let usual = family.defaultTokens
    imageTokenID = try token("image_token_id", default: usual.image)
    videoTokenID = try token("video_token_id", default: usual.video)
    visionStartTokenID = try token("vision_start_token_id", default: usual.visionStart)
    visionEndTokenID = try token("vision_end_token_id", default: usual.visionEnd)
    let generation = files.contains("generation_config.json") ? try files.fields("generation_config.json") : nil
    let endFields = [generation, nested, root].compactMap { $0 }.first { $0["eos_token_id"] != nil }
    endTokenIDs = try Self.endTokens(endFields ?? root, usual: usual.end, vocabularySize: text.vocabularySize)
  }

  /// What a model type that is not supported is, in parentheses, for those that users are likely to have.
  private static func knownAs(_ type: String) -> String {
    if type.hasSuffix("_moe") || type == "qwen3_next" { return " (mixture of experts)" }
    if type.hasSuffix("_text"), Family(rawValue: String(type.dropLast(5))) != nil {
      return " (the decoder without its vision tower)"
    }
    let makers = [("gemma", "Gemma"), ("smolvlm", "SmolVLM"), ("idefics", "Idefics"), ("llava", "LLaVA")]
    return makers.first { type.hasPrefix($0.0) }.map { " (\($0.1))" } ?? ""
  }

  /// transformers 5 ties if either level sets it.
  private static func isTied(root: Fields, nested: Fields?) throws -> Bool {
    let outer = try root.bool("tie_word_embeddings", default: false)
    let inner = try nested?.bool("tie_word_embeddings", default: false) ?? false
    return outer || inner
  }

  private static func endTokens(_ fields: Fields, usual: Int, vocabularySize: Int) throws -> [Int32] {
    let range = 0...(vocabularySize - 1)
    let ids: [Int]
    if case .array = fields["eos_token_id"] {
      ids = try fields.integers("eos_token_id", in: range)
    } else {
      ids = [try fields.integer("eos_token_id", in: range, default: vocabularySize > usual ? usual : nil)]
    }
    guard !ids.isEmpty else { throw fields.failure("eos_token_id", "no token ends a generation") }
    return ids.map { Int32($0) }
  }
}

extension TextConfiguration {
  fileprivate init(_ fields: Fields, _ family: ModelConfiguration.Family, tied: Bool) throws {
    self.init(defaultsOf: family)
    try fields.require("use_sliding_window", toBe: .bool(false))
    try fields.require("hidden_act", toBe: .string("silu"))
    if let experts = fields["num_experts"], experts != .integer(0) {
      throw fields.unsupported("num_experts \(Fields.show(experts)) (mixture of experts)", use: "a dense checkpoint")
    }
    hiddenSize = try fields.integer("hidden_size", in: 1...(1 << 16), default: hiddenSize)
    intermediateSize = try fields.integer("intermediate_size", in: 1...(1 << 20), default: intermediateSize)
    layers = try fields.integer("num_hidden_layers", in: 1...1024, default: layers)
    attentionHeads = try fields.integer("num_attention_heads", in: 1...1024, default: attentionHeads)
    kvHeads = try fields.integer("num_key_value_heads", in: 1...1024, default: min(kvHeads, attentionHeads))
    vocabularySize = try fields.integer("vocab_size", in: 1...(1 << 21), default: vocabularySize)
    rmsNormEpsilon = try fields.number("rms_norm_eps", in: 0...1, default: rmsNormEpsilon)
    maxPositionEmbeddings = try fields.integer(
      "max_position_embeddings", in: 1...(1 << 24), default: maxPositionEmbeddings)
    tieWordEmbeddings = tied
    guard attentionHeads % kvHeads == 0 else {
      throw fields.failure(
        "num_key_value_heads", "\(kvHeads) does not divide num_attention_heads \(attentionHeads)")
    }
    try readLayerTypes(fields, family)
    try readHeadDimension(fields, family)
    try readRotary(fields, family)
  }

  /// Only Qwen3.5 has layers of linear attention: as `layer_types` says, else all but every n-th.
  private mutating func readLayerTypes(_ fields: Fields, _ family: ModelConfiguration.Family) throws {
    let types = try fields.array("layer_types", default: [])
    guard family == .qwen3_5 else {
      for type in types where type != .string(LayerType.fullAttention.rawValue) {
        throw fields.unsupported("layer_types \(Fields.show(type))", use: "full_attention in every layer")
      }
      return
    }
    if types.isEmpty {
      let interval = try fields.integer("full_attention_interval", in: 1...1024, default: 4)
      layerTypes = (1...layers).map { $0.isMultiple(of: interval) ? .fullAttention : .linearAttention }
    } else {
      layerTypes = try types.map {
        guard case .string(let name) = $0, let type = LayerType(rawValue: name) else {
          throw fields.unsupported("layer_types \(Fields.show($0))", use: "full_attention or linear_attention")
        }
        return type
      }
    }
    guard layerTypes.count == layers else {
      throw fields.failure("layer_types", "\(layerTypes.count) types for num_hidden_layers \(layers)")
    }
    try fields.require("attn_output_gate", toBe: .bool(true))
    var linear = LinearAttentionConfiguration()
    linear.keyHeads = try fields.integer("linear_num_key_heads", in: 1...1024, default: linear.keyHeads)
    linear.valueHeads = try fields.integer("linear_num_value_heads", in: 1...1024, default: linear.valueHeads)
    linear.keyDimension = try fields.integer("linear_key_head_dim", in: 1...(1 << 12), default: linear.keyDimension)
    linear.valueDimension = try fields.integer(
      "linear_value_head_dim", in: 1...(1 << 12), default: linear.valueDimension)
    linear.taps = try fields.integer("linear_conv_kernel_dim", in: 1...64, default: linear.taps)
    guard linear.valueHeads.isMultiple(of: linear.keyHeads) else {
      throw fields.failure(
        "linear_num_key_heads", "\(linear.keyHeads) does not divide linear_num_value_heads \(linear.valueHeads)")
    }
    linearAttention = linear
  }

  /// Qwen2-VL and Qwen2.5-VL cut the hidden size into heads, the others state what a head has.
  private mutating func readHeadDimension(_ fields: Fields, _ family: ModelConfiguration.Family) throws {
    switch family {
    case .qwen2_vl, .qwen2_5_vl:
      guard hiddenSize % (2 * attentionHeads) == 0 else {
        throw fields.failure(
          "num_attention_heads", "\(attentionHeads) does not cut hidden_size \(hiddenSize) into heads of even dimension"
        )
      }
      headDimension = hiddenSize / attentionHeads
      try fields.require("head_dim", toBe: .integer(headDimension))
    case .qwen3_vl, .qwen3_5:
      headDimension = try fields.integer("head_dim", in: 2...(1 << 12), default: headDimension)
      guard headDimension.isMultiple(of: 2) else { throw fields.failure("head_dim", "\(headDimension) is odd") }
      try fields.require("attention_bias", toBe: .bool(false))
    }
  }

  private mutating func readRotary(_ fields: Fields, _ family: ModelConfiguration.Family) throws {
    let key = fields["rope_scaling"] == nil ? "rope_parameters" : "rope_scaling"
    guard let rope = try fields.object(key) else { throw fields.failure(key, "missing, with its mrope_section") }
    for name in ["rope_type", "type"] {
      let type = try rope.string(name, default: "default")
      guard ["default", "mrope"].contains(type) else {
        throw rope.unsupported("\(name) \"\(type)\"", use: "default or mrope")
      }
    }
    try rope.require("mrope_interleaved", toBe: .bool(mropeInterleaved))
    let outerTheta = try fields.number("rope_theta", in: 1...1e12, default: ropeTheta)
    ropeTheta = try rope.number("rope_theta", in: 1...1e12, default: outerTheta)
    if family == .qwen3_5 {
      let outer = try fields.number("partial_rotary_factor", in: 0...1, default: 0.25)
      let factor = try rope.number("partial_rotary_factor", in: 0...1, default: outer)
      rotaryDimension = Int(Double(headDimension) * factor)
    }
    // The classes of Qwen2-VL and Qwen2.5-VL have no sections of their own for a file without any.
    let hasUsual = ![.qwen2_vl, .qwen2_5_vl].contains(family)
    mropeSection = try rope.integers("mrope_section", in: 0...(1 << 16), default: hasUsual ? mropeSection : nil)
    guard mropeSection.count == 3, rotaryNumbers.isMultiple(of: 2), mropeSection.reduce(0, +) == rotaryNumbers / 2
    else {
      throw rope.failure(
        "mrope_section",
        "\(mropeSection) is not three numbers that sum to half of the \(rotaryNumbers) numbers of a head that are turned"
      )
    }
  }
}

extension VisionConfiguration {
  fileprivate init(_ fields: Fields, _ family: ModelConfiguration.Family) throws {
    self.init(defaultsOf: family)
    if let rope = try fields.object("rope_parameters") {
      try rope.require("rope_type", toBe: .string("axial"))
      guard try rope.number("rope_theta", in: 1...1e12, default: 10000) == 10000 else {
        throw rope.unsupported("rope_theta", use: "10000")
      }
    }
    depth = try fields.integer("depth", in: 1...1024, default: depth)
    try readWidths(fields, family)
    heads = try fields.integer("num_heads", in: 1...1024, default: heads)
    let channels = fields["in_channels"] == nil ? "in_chans" : "in_channels"
    inChannels = try fields.integer(channels, in: 1...64, default: inChannels)
    patchSize = try fields.integer("patch_size", in: 1...1024, default: patchSize)
    temporalPatchSize = try fields.integer("temporal_patch_size", in: 1...64, default: temporalPatchSize)
    spatialMergeSize = try fields.integer("spatial_merge_size", in: 1...64, default: spatialMergeSize)
    guard hiddenSize % (4 * heads) == 0 else {
      throw fields.failure(
        "num_heads", "\(heads) does not cut the width \(hiddenSize) into heads whose dimension is a multiple of 4")
    }
    switch family {
    case .qwen2_vl: try fields.require("hidden_act", toBe: .string(mlp.rawValue))
    case .qwen2_5_vl: try readWindows(fields)
    case .qwen3_vl, .qwen3_5: try readEmbeddings(fields)
    }
  }

  /// Of the tower, its MLP and its output. In Qwen2-VL's files `hidden_size` is the output's.
  private mutating func readWidths(_ fields: Fields, _ family: ModelConfiguration.Family) throws {
    let names = family == .qwen2_vl ? ("embed_dim", "hidden_size") : ("hidden_size", "out_hidden_size")
    hiddenSize = try fields.integer(names.0, in: 1...(1 << 16), default: hiddenSize)
    outHiddenSize = try fields.integer(names.1, in: 1...(1 << 16), default: outHiddenSize)
    guard family == .qwen2_vl else {
      intermediateSize = try fields.integer("intermediate_size", in: 1...(1 << 20), default: intermediateSize)
      return
    }
    let ratio = try fields.number("mlp_ratio", in: 0...16, default: 4)
    intermediateSize = Int(Double(hiddenSize) * ratio)
    guard intermediateSize > 0 else { throw fields.failure("mlp_ratio", "\(ratio) leaves the MLP no columns") }
  }

  private mutating func readWindows(_ fields: Fields) throws {
    try fields.require("hidden_act", toBe: .string(mlp.rawValue))
    let side = try fields.integer("window_size", in: 1...(1 << 16), default: windowSize)
    guard side >= patchSize * spatialMergeSize else {
      throw fields.failure("window_size", "\(side) pixels hold no group of merged patches")
    }
    windowSize = side
    let usual = fullAttentionBlocks.filter { [depth] in $0 < depth }
    fullAttentionBlocks = try fields.integers("fullatt_block_indexes", in: 0...(depth - 1), default: usual)
  }

  private mutating func readEmbeddings(_ fields: Fields) throws {
    let activation = try fields.string("hidden_act", default: mlp.rawValue)
    guard let known = MLP(rawValue: activation), [.tanhGELU, .exactGELU].contains(known) else {
      throw fields.unsupported(
        "hidden_act \"\(activation)\"", use: "\(MLP.tanhGELU.rawValue) or \(MLP.exactGELU.rawValue)")
    }
    mlp = known
    positionEmbeddings = try fields.integer("num_position_embeddings", in: 1...(1 << 20), default: positionEmbeddings)
    let usual = deepstackBlocks.filter { [depth] in $0 < depth }
    deepstackBlocks = try fields.integers("deepstack_visual_indexes", in: 0...(depth - 1), default: usual)
    guard zip(deepstackBlocks, deepstackBlocks.dropFirst()).allSatisfy(<) else {
      throw fields.failure("deepstack_visual_indexes", "\(deepstackBlocks) do not ascend")
    }
  }
}
