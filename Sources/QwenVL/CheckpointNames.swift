// Every tensor name of a checkpoint of any family, once, with its shape; all other code uses Swift names.
import HuggingFace
import Layers
import Tensors

/// Opens the tensors of a checkpoint by their place in the model.
struct Weights<Element: Scalar> {
  let checkpoint: Checkpoint
  let configuration: ModelConfiguration
  private let precision: Precision
  /// Released files use `model.layers` and `visual`; files written by newer transformers nest them.
  private let decoder: String
  private let vision: String

  init(_ checkpoint: Checkpoint, _ configuration: ModelConfiguration, _ precision: Precision) {
    self.checkpoint = checkpoint
    self.configuration = configuration
    self.precision = precision
    decoder = checkpoint.contains("model.language_model.norm.weight") ? "model.language_model" : "model"
    vision = checkpoint.contains("model.visual.patch_embed.proj.weight") ? "model.visual" : "visual"
  }

  private func matrix(_ name: String, shape: [Int]) throws -> StoredMatrix {
    StoredMatrix(try checkpoint.tensor(name, shape: shape), precision: precision)
  }

  private func linear(_ name: String, out: Int, in columns: Int, bias: Bool) throws -> Linear<Element> {
    Linear(
      weight: try matrix("\(name).weight", shape: [out, columns]),
      bias: bias ? try checkpoint.tensor("\(name).bias", shape: [out]) : nil)
  }

  private func norm(_ name: String, width: Int, epsilon: Double, offset: Element = 0) throws -> RMSNorm<Element> {
    RMSNorm(weight: try checkpoint.tensor("\(name).weight", shape: [width]), epsilon: epsilon, offset: offset)
  }

  private func decoderNorm(_ name: String, width: Int) throws -> RMSNorm<Element> {
    let text = configuration.text
    return try norm(name, width: width, epsilon: text.rmsNormEpsilon, offset: text.normsStoreOffset ? 1 : 0)
  }

  private func visionNorm(_ name: String, width: Int) throws -> any Norm<Element> {
    let epsilon = VisionTower<Element>.normEpsilon
    switch configuration.vision.norm {
    case .rms: return try norm(name, width: width, epsilon: epsilon)
    case .layer:
      return LayerNorm<Element>(
        weight: try checkpoint.tensor("\(name).weight", shape: [width]),
        bias: try checkpoint.tensor("\(name).bias", shape: [width]), epsilon: epsilon)
    }
  }

  // MARK: - Decoder

  func embedding() throws -> StoredMatrix {
    let text = configuration.text
    let name = "\(decoder).embed_tokens.weight"
    // Of two tied tensors a file may hold either one.
    let isInHead = text.tieWordEmbeddings && !checkpoint.contains(name) && checkpoint.contains(Self.headName)
    return try matrix(isInHead ? Self.headName : name, shape: [text.vocabularySize, text.hiddenSize])
  }

  static var headName: String { "lm_head.weight" }

  /// The language-model head. Where config.json ties it, it is the embedding, unless the file has a head of other
  /// bytes: transformers 5 keeps that one, too.
  /// - Throws: `HuggingFaceError.missingHead` where it is not tied and there is none.
  func head(embedding: StoredMatrix) throws -> (matrix: StoredMatrix, isTied: Bool) {
    let text = configuration.text
    guard checkpoint.contains(Self.headName) else {
      guard text.tieWordEmbeddings else { throw HuggingFaceError.missingHead(checkpoint: checkpoint.source) }
      return (embedding, true)
    }
    let head = try matrix(Self.headName, shape: [text.vocabularySize, text.hiddenSize])
    guard text.tieWordEmbeddings, head.tensor.hasSameBytes(as: embedding.tensor) else { return (head, false) }
    return (embedding, true)
  }

  func finalNorm() throws -> RMSNorm<Element> {
    try decoderNorm("\(decoder).norm", width: configuration.text.hiddenSize)
  }

  func decoderLayer(_ index: Int) throws -> DecoderLayer<Element> {
    let text = configuration.text
    let (H, I) = (text.hiddenSize, text.intermediateSize)
    let layer = "\(decoder).layers.\(index)"
    return DecoderLayer(
      index: index, inputNorm: try decoderNorm("\(layer).input_layernorm", width: H),
      mixer: text.isLinear(index)
        ? .deltaNet(try deltaNet("\(layer).linear_attn")) : .attention(try attention("\(layer).self_attn")),
      postAttentionNorm: try decoderNorm("\(layer).post_attention_layernorm", width: H),
      mlp: GatedMLP(
        gate: try linear("\(layer).mlp.gate_proj", out: I, in: H, bias: false),
        up: try linear("\(layer).mlp.up_proj", out: I, in: H, bias: false),
        down: try linear("\(layer).mlp.down_proj", out: H, in: I, bias: false)))
  }

  private func attention(_ name: String) throws -> AttentionMixer<Element> {
    let text = configuration.text
    let (H, D) = (text.hiddenSize, text.headDimension)
    let queries = text.attentionHeads * D * (text.outputGate ? 2 : 1)
    return AttentionMixer(
      queryProjection: try linear("\(name).q_proj", out: queries, in: H, bias: text.qkvBias),
      keyProjection: try linear("\(name).k_proj", out: text.kvHeads * D, in: H, bias: text.qkvBias),
      valueProjection: try linear("\(name).v_proj", out: text.kvHeads * D, in: H, bias: text.qkvBias),
      attention: Attention(
        heads: text.attentionHeads, kvHeads: text.kvHeads, headDimension: D, precision: precision),
      outputProjection: try linear("\(name).o_proj", out: H, in: text.attentionHeads * D, bias: false),
      headNorms: text.queryKeyNorm
        ? (try decoderNorm("\(name).q_norm", width: D), try decoderNorm("\(name).k_norm", width: D)) : nil,
      isGated: text.outputGate)
  }

  private func deltaNet(_ name: String) throws -> GatedDeltaNet<Element> {
    let (H, shape) = (configuration.text.hiddenSize, configuration.text.linearAttention)
    let heads = shape.valueHeads
    return GatedDeltaNet(
      inputProjection: try linear("\(name).in_proj_qkv", out: shape.columns, in: H, bias: false),
      gateProjection: try linear("\(name).in_proj_z", out: shape.valueColumns, in: H, bias: false),
      strengthProjection: try linear("\(name).in_proj_b", out: heads, in: H, bias: false),
      decayProjection: try linear("\(name).in_proj_a", out: heads, in: H, bias: false),
      convolution: CausalConvolution(
        weight: try checkpoint.tensor("\(name).conv1d.weight", shape: [shape.columns, 1, shape.taps])),
      gates: DeltaGates(
        logRates: try checkpoint.tensor("\(name).A_log", shape: [heads]),
        bias: try checkpoint.tensor("\(name).dt_bias", shape: [heads])),
      rule: GatedDeltaRule(
        keyHeads: shape.keyHeads, valueHeads: heads, keyDimension: shape.keyDimension,
        valueDimension: shape.valueDimension),
      norm: GatedNorm(
        weight: try checkpoint.tensor("\(name).norm.weight", shape: [shape.valueDimension]),
        epsilon: configuration.text.rmsNormEpsilon),
      outputProjection: try linear("\(name).out_proj", out: H, in: shape.valueColumns, bias: false))
  }

  // MARK: - Vision tower

  func patchEmbedding() throws -> Linear<Element> {
    let v = configuration.vision
    let name = "\(vision).patch_embed.proj"
    return Linear(
      weight: try matrix(
        "\(name).weight", shape: [v.hiddenSize, v.inChannels, v.temporalPatchSize, v.patchSize, v.patchSize]),
      bias: v.patchBias ? try checkpoint.tensor("\(name).bias", shape: [v.hiddenSize]) : nil)
  }

  func positionEmbedding() throws -> PositionEmbedding<Element>? {
    let v = configuration.vision
    return try v.positionEmbeddings.map {
      PositionEmbedding(table: try matrix("\(vision).pos_embed.weight", shape: [$0, v.hiddenSize]))
    }
  }

  func visionBlock(_ index: Int) throws -> VisionBlock<Element> {
    let v = configuration.vision
    let block = "\(vision).blocks.\(index)"
    return VisionBlock(
      norm1: try visionNorm("\(block).norm1", width: v.hiddenSize),
      queryKeyValue: try linear(.block(index), .queryKeyValue),
      attention: Attention(
        heads: v.heads, kvHeads: v.heads, headDimension: v.headDimension, precision: precision),
      projection: try linear(.block(index), .attentionOutput),
      norm2: try visionNorm("\(block).norm2", width: v.hiddenSize), mlp: try visionMLP(index))
  }

  /// A linear module of the tower.
  private func linear(_ part: TowerModule.Part, _ role: TowerModule.Role) throws -> Linear<Element> {
    let module = TowerModule(part, role, of: configuration.vision)
    let widths = configuration.vision.widths(module)
    return try linear(
      vision + module.name.dropFirst("visual".count), out: widths.output, in: widths.input, bias: true)
  }

  private func visionMLP(_ index: Int) throws -> any VisionMLP<Element> {
    func plain(_ activation: GELU) throws -> PlainMLP<Element> {
      PlainMLP(
        first: try linear(.block(index), .first), activation: activation, second: try linear(.block(index), .second))
    }
    switch configuration.vision.mlp {
    case .gatedSiLU:
      return GatedMLP(
        gate: try linear(.block(index), .gate), up: try linear(.block(index), .up),
        down: try linear(.block(index), .down))
    case .tanhGELU: return try plain(.tanh)
    case .exactGELU: return try plain(.exact)
    case .quickGELU: return try plain(.quick)
    }
  }

  /// The merger after the last block, or that of a level of deepstack, which norms joined patches.
  func merger(deepstack level: Int? = nil) throws -> PatchMerger<Element> {
    let v = configuration.vision
    let width = v.hiddenSize * v.spatialMergeSize * v.spatialMergeSize
    let name = level.map { "\(vision).deepstack_merger_list.\($0)" } ?? "\(vision).merger"
    let norm = [.qwen2_vl, .qwen2_5_vl].contains(configuration.family) ? "ln_q" : "norm"
    let part = level.map { TowerModule.Part.deepstackMerger($0) } ?? .merger
    return PatchMerger(
      norm: try visionNorm("\(name).\(norm)", width: level == nil ? v.hiddenSize : width),
      mlp: PlainMLP(first: try linear(part, .first), activation: .exact, second: try linear(part, .second)))
  }
}
