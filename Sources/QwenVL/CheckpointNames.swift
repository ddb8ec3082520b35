// Every tensor name of a Qwen2.5-VL checkpoint, once, with its shape; the code above uses Swift names only.
import HuggingFace
import Layers
import Tensors

/// Opens the tensors of a checkpoint by their place in the model.
struct Weights<Element: Scalar> {
  let checkpoint: Checkpoint
  let configuration: ModelConfiguration
  private let arithmetic: Arithmetic
  /// Released files say `model.layers` and `visual`; files written by newer transformers nest them.
  private let decoder: String
  private let vision: String

  init(_ checkpoint: Checkpoint, _ configuration: ModelConfiguration, _ arithmetic: Arithmetic) {
    self.checkpoint = checkpoint
    self.configuration = configuration
    self.arithmetic = arithmetic
    let nested = checkpoint.contains("model.language_model.embed_tokens.weight")
    decoder = nested ? "model.language_model" : "model"
    vision = nested ? "model.visual" : "visual"
  }

  private func matrix(_ name: String, shape: [Int]) throws -> StoredMatrix {
    StoredMatrix(try checkpoint.tensor(name, shape: shape), arithmetic: arithmetic)
  }

  private func linear(_ name: String, out: Int, in columns: Int, bias: Bool) throws -> Linear<Element> {
    Linear(
      weight: try matrix("\(name).weight", shape: [out, columns]),
      bias: bias ? try checkpoint.tensor("\(name).bias", shape: [out]) : nil)
  }

  private func norm(_ name: String, width: Int, epsilon: Double) throws -> RMSNorm<Element> {
    RMSNorm(weight: try checkpoint.tensor("\(name).weight", shape: [width]), epsilon: epsilon)
  }

  // MARK: - Decoder

  func embedding() throws -> StoredMatrix {
    let text = configuration.text
    return try matrix("\(decoder).embed_tokens.weight", shape: [text.vocabularySize, text.hiddenSize])
  }

  /// The language-model head: the embedding itself where they are tied.
  func head(embedding: StoredMatrix) throws -> StoredMatrix {
    let text = configuration.text
    if text.tieWordEmbeddings {
      // Some writers store the tied head too; it is the same tensor and is claimed so that it is not "extra".
      if checkpoint.contains("lm_head.weight") {
        _ = try checkpoint.tensor("lm_head.weight", shape: [text.vocabularySize, text.hiddenSize])
      }
      return embedding
    }
    return try matrix("lm_head.weight", shape: [text.vocabularySize, text.hiddenSize])
  }

  func finalNorm() throws -> RMSNorm<Element> {
    try norm("\(decoder).norm", width: configuration.text.hiddenSize, epsilon: configuration.text.rmsNormEpsilon)
  }

  func decoderLayer(_ index: Int) throws -> DecoderLayer<Element> {
    let text = configuration.text
    let (H, I, D) = (text.hiddenSize, text.intermediateSize, text.headDimension)
    let layer = "\(decoder).layers.\(index)"
    return DecoderLayer(
      index: index,
      inputNorm: try norm("\(layer).input_layernorm", width: H, epsilon: text.rmsNormEpsilon),
      queryProjection: try linear("\(layer).self_attn.q_proj", out: text.attentionHeads * D, in: H, bias: true),
      keyProjection: try linear("\(layer).self_attn.k_proj", out: text.kvHeads * D, in: H, bias: true),
      valueProjection: try linear("\(layer).self_attn.v_proj", out: text.kvHeads * D, in: H, bias: true),
      attention: Attention(heads: text.attentionHeads, kvHeads: text.kvHeads, headDimension: D),
      outputProjection: try linear("\(layer).self_attn.o_proj", out: H, in: text.attentionHeads * D, bias: false),
      postAttentionNorm: try norm("\(layer).post_attention_layernorm", width: H, epsilon: text.rmsNormEpsilon),
      gateProjection: try linear("\(layer).mlp.gate_proj", out: I, in: H, bias: false),
      upProjection: try linear("\(layer).mlp.up_proj", out: I, in: H, bias: false),
      downProjection: try linear("\(layer).mlp.down_proj", out: H, in: I, bias: false))
  }

  // MARK: - Vision tower

  func patchEmbedding() throws -> Linear<Element> {
    let v = configuration.vision
    return Linear(
      weight: try matrix(
        "\(vision).patch_embed.proj.weight",
        shape: [v.hiddenSize, v.inChannels, v.temporalPatchSize, v.patchSize, v.patchSize]))
  }

  func visionBlock(_ index: Int) throws -> VisionBlock<Element> {
    let v = configuration.vision
    let (H, I) = (v.hiddenSize, v.intermediateSize)
    let block = "\(vision).blocks.\(index)"
    return VisionBlock(
      norm1: try norm("\(block).norm1", width: H, epsilon: VisionTower<Element>.normEpsilon),
      queryKeyValue: try linear("\(block).attn.qkv", out: 3 * H, in: H, bias: true),
      attention: Attention(heads: v.heads, kvHeads: v.heads, headDimension: v.headDimension),
      projection: try linear("\(block).attn.proj", out: H, in: H, bias: true),
      norm2: try norm("\(block).norm2", width: H, epsilon: VisionTower<Element>.normEpsilon),
      gateProjection: try linear("\(block).mlp.gate_proj", out: I, in: H, bias: true),
      upProjection: try linear("\(block).mlp.up_proj", out: I, in: H, bias: true),
      downProjection: try linear("\(block).mlp.down_proj", out: H, in: I, bias: true))
  }

  func merger() throws -> PatchMerger<Element> {
    let v = configuration.vision
    let width = v.hiddenSize * v.spatialMergeSize * v.spatialMergeSize
    return PatchMerger(
      norm: try norm("\(vision).merger.ln_q", width: v.hiddenSize, epsilon: VisionTower<Element>.normEpsilon),
      first: try linear("\(vision).merger.mlp.0", out: width, in: width, bias: true),
      second: try linear("\(vision).merger.mlp.2", out: v.outHiddenSize, in: width, bias: true))
  }
}
