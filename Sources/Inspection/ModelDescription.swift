// A model folder: shape, parameters by part, image limits, template and special tokens.
import Batches
import Formatting
import HuggingFace
import Tensors

/// What `imagelora inspect` shows of a model folder; `lines` for people, the properties for programs.
package struct ModelDescription: Encodable, Equatable {
  package struct Decoder: Encodable, Equatable {
    /// Layers of full attention; the others' is linear.
    let attentionLayers: Int
    let layers, hiddenSize, intermediateSize, attentionHeads, kvHeads, headDimension, vocabularySize: Int
    let maxPositionEmbeddings: Int
    let tieWordEmbeddings: Bool

    fileprivate var mixers: String { attentionLayers == layers ? "" : " (\(attentionLayers) of full attention)" }
  }

  package struct Vision: Encodable, Equatable {
    let depth, hiddenSize, intermediateSize, heads, patchSize: Int
    /// Nil where all blocks see the whole image.
    let windowSize: Int?
    let fullAttentionBlocks, deepstackBlocks: [Int]
  }

  /// The tensors of one part, or of all.
  package struct Part: Encodable, Equatable {
    let name: String
    var tensors = 0
    var parameters = 0
    var bytes = 0
    var types: [String] = []
  }

  package struct ImageLimits: Encodable, Equatable {
    let minPixels, maxPixels, minTokens, maxTokens, sideMultiple: Int
  }

  package struct Token: Encodable, Equatable {
    let id: Int32
    let text: String
  }

  let folder, family, baseDigest: String
  /// Over all bytes of the weights; nil where it was not made, or of other files.
  package var fullDigest: String?
  let decoder: Decoder
  let vision: Vision
  /// In the order in which data pass them, then what is not used.
  let parts: [Part]
  let total: Part
  let images: ImageLimits
  let chatTemplateDigest: String
  let endTokens, specialTokens: [Token]
  let tokenizerSize: Int
  /// What of the folder is not used, or not as it says.
  let notices: [String]

  /// - Throws: `HuggingFaceError` for a damaged checkpoint.
  package init(_ base: BaseModel) throws {
    let (text, vision) = (base.configuration.text, base.configuration.vision)
    (folder, family, baseDigest) = (base.folder, base.configuration.family.rawValue, base.digest)
    fullDigest = base.fullDigest
    decoder = Decoder(
      attentionLayers: text.attentionLayers.count, layers: text.layers, hiddenSize: text.hiddenSize,
      intermediateSize: text.intermediateSize, attentionHeads: text.attentionHeads, kvHeads: text.kvHeads,
      headDimension: text.headDimension,
      vocabularySize: text.vocabularySize, maxPositionEmbeddings: text.maxPositionEmbeddings,
      tieWordEmbeddings: text.tieWordEmbeddings)
    self.vision = Vision(
      depth: vision.depth, hiddenSize: vision.hiddenSize, intermediateSize: vision.intermediateSize,
      heads: vision.heads, patchSize: vision.patchSize, windowSize: vision.windowSize,
      fullAttentionBlocks: vision.fullAttentionBlocks.sorted(), deepstackBlocks: vision.deepstackBlocks)
    parts = try Part.all(of: Checkpoint(folder: base.folder))
    total = parts.reduce(into: Part(name: "all")) { if $1.name != Part.unused { $0.add($1) } }
    let side = base.preprocessor.patchSize * base.preprocessor.mergeSize
    images = ImageLimits(
      minPixels: base.preprocessor.minPixels, maxPixels: base.preprocessor.maxPixels,
      minTokens: base.preprocessor.minPixels / (side * side), maxTokens: base.preprocessor.maxPixels / (side * side),
      sideMultiple: side)
    chatTemplateDigest = base.template.digest
    func token(_ id: Int32) -> Token { Token(id: id, text: base.tokenizer.text(of: id)) }
    endTokens = base.configuration.endTokenIDs.map(token)
    specialTokens = [
      base.configuration.visionStartTokenID, base.configuration.imageTokenID, base.configuration.videoTokenID,
      base.configuration.visionEndTokenID,
    ].map(token)
    tokenizerSize = base.tokenizer.vocabularySize
    notices = base.notices
  }

  package var lines: [String] {
    [
      "folder           \(folder)",
      "family           \(family), base digest \(baseDigest)",
      "full digest      \(fullDigest ?? "not made; inspect --verify reads all weights for it")",
      """
      decoder          \(decoder.layers) layers\(decoder.mixers), hidden \(decoder.hiddenSize), intermediate \(decoder.intermediateSize), \
      \(decoder.attentionHeads) heads, \(decoder.kvHeads) KV heads of \(decoder.headDimension), vocabulary \
      \(decoder.vocabularySize)\(decoder.tieWordEmbeddings ? " (tied)" : ""), positions \(decoder.maxPositionEmbeddings)
      """,
      """
      vision tower     \(vision.depth) blocks, hidden \(vision.hiddenSize), intermediate \(vision.intermediateSize), \
      \(vision.heads) heads, patches of \(vision.patchSize) pixels, \(attention)
      """,
    ] + (parts + [total]).map(\.line) + [
      """
      image limits     \(images.minPixels) to \(images.maxPixels) pixels: \(images.minTokens) to \(images.maxTokens) \
      visual tokens an image, sides in multiples of \(images.sideMultiple)
      """,
      "chat template    digest \(chatTemplateDigest)",
      "end tokens       \(Self.list(endTokens))",
      "special          \(Self.list(specialTokens)); tokenizer of \(tokenizerSize) tokens",
    ] + notices.map { "notice           \($0)" }
  }

  private static func list(_ tokens: [Token]) -> String {
    tokens.map { "\($0.text) \($0.id)" }.joined(separator: ", ")
  }

  /// What blocks see, and which of them deepstack reads.
  private var attention: String {
    func list(_ blocks: [Int]) -> String { blocks.map(String.init).joined(separator: ",") }
    let whole =
      "whole image in \(vision.windowSize == nil ? "all blocks" : "blocks \(list(vision.fullAttentionBlocks))")"
    return (vision.windowSize.map { "windows of \($0), " } ?? "") + whole
      + (vision.deepstackBlocks.isEmpty ? "" : ", deepstack of blocks \(list(vision.deepstackBlocks))")
  }
}

extension ModelDescription.Part {
  /// Tensors that no part of the model reads.
  static let unused = "not used"

  /// The part that a tensor belongs to, by its name in either naming of the family.
  static func name(of tensor: String) -> String {
    if tensor.hasPrefix("mtp.") { return unused }
    if tensor.contains("visual.merger.") || tensor.contains("visual.deepstack_merger_list.") { return "merger" }
    if tensor.contains("visual.") { return "vision tower" }
    if tensor.contains("embed_tokens") { return "embedding" }
    return tensor.hasPrefix("lm_head") ? "head" : "decoder"
  }

  /// All parts of a checkpoint in the order in which data pass them.
  static func all(of checkpoint: Checkpoint) throws -> [Self] {
    var parts = ["vision tower", "merger", "embedding", "decoder", "head", unused].map { Self(name: $0) }
    for tensor in checkpoint.names {
      let name = name(of: tensor)
      guard let shape = checkpoint.shape(of: tensor), let part = parts.firstIndex(where: { $0.name == name })
      else { continue }
      let stored = try checkpoint.tensor(tensor, shape: shape)
      parts[part].add(
        Self(
          name: name, tensors: 1, parameters: stored.count, bytes: stored.count * stored.type.byteCount,
          types: [stored.type.rawValue]))
    }
    return parts.filter { $0.tensors > 0 }
  }

  mutating func add(_ other: Self) {
    tensors += other.tensors
    parameters += other.parameters
    bytes += other.bytes
    types = Set(types + other.types).sorted()
  }

  var line: String {
    padded("  \(name)", to: 17)
      + "\(parameters) parameters in \(tensors) tensors, \(types.joined(separator: "+")), \(bytes) bytes"
  }
}
