// A model folder in a few lines: shape, parameters by part, pixel limits, template and special tokens.
import Foundation
import HuggingFace
import Tensors
import Units

/// Numbers and bytes of one part of a model.
struct ModelPart: Equatable {
  var name: String
  var tensors = 0
  var parameters = 0
  var bytes = 0
  var types: Set<ElementType> = []

  /// The part that a tensor belongs to, by its name in either naming of the family.
  static func name(of tensor: String) -> String {
    if tensor.contains("visual.merger.") || tensor.contains("visual.deepstack_merger_list.") { return "merger" }
    if tensor.contains("visual.") { return "vision tower" }
    if tensor.contains("embed_tokens") { return "embedding" }
    return tensor.hasPrefix("lm_head") ? "head" : "decoder"
  }

  /// All parts of a checkpoint in the order in which data pass them.
  static func parts(of checkpoint: Checkpoint) throws -> [ModelPart] {
    var parts = ["vision tower", "merger", "embedding", "decoder", "head"].map { ModelPart(name: $0) }
    for tensor in checkpoint.names {
      let name = name(of: tensor)
      guard let shape = checkpoint.shape(of: tensor), let part = parts.firstIndex(where: { $0.name == name })
      else { continue }
      let stored = try checkpoint.tensor(tensor, shape: shape)
      parts[part].tensors += 1
      parts[part].parameters += stored.count
      parts[part].bytes += stored.count * stored.type.byteCount
      parts[part].types.insert(stored.type)
    }
    return parts.filter { $0.tensors > 0 }
  }
}

extension BaseModel {
  /// Facts of the folder, one a line.
  /// - Throws: `HuggingFaceError` where the checkpoint can no longer be read.
  package func listing() throws -> [String] {
    let (text, vision) = (configuration.text, configuration.vision)
    let parts = try ModelPart.parts(of: Checkpoint(folder: folder))
    let whole = parts.reduce(into: ModelPart(name: "all")) { all, part in
      all.tensors += part.tensors
      all.parameters += part.parameters
      all.bytes += part.bytes
      all.types.formUnion(part.types)
    }
    let side = preprocessor.patchSize * preprocessor.mergeSize
    func tokens(_ pixels: Int) -> Int { pixels / (side * side) }
    return [
      "folder           \(folder)",
      "family           \(configuration.family.rawValue), base digest \(digest)",
      """
      decoder          \(text.layers) layers, hidden \(text.hiddenSize), intermediate \(text.intermediateSize), \
      \(text.attentionHeads) heads, \(text.kvHeads) KV heads of \(text.headDimension), vocabulary \
      \(text.vocabularySize)\(text.tieWordEmbeddings ? " (tied)" : ""), positions \(text.maxPositionEmbeddings)
      """,
      """
      vision tower     \(vision.depth) blocks, hidden \(vision.hiddenSize), intermediate \(vision.intermediateSize), \
      \(vision.heads) heads, patches of \(vision.patchSize) pixels, \(Self.attention(vision))
      """,
    ] + (parts + [whole]).map(Self.describe) + [
      """
      pixel limits     \(preprocessor.minPixels) to \(preprocessor.maxPixels): \(tokens(preprocessor.minPixels)) to \
      \(tokens(preprocessor.maxPixels)) visual tokens a picture, sides in multiples of \(side)
      """,
      "chat template    digest \(template.digest)",
      "end tokens       \(configuration.endTokenIDs.map(named).joined(separator: ", "))",
      """
      special          \([
        configuration.visionStartTokenID, configuration.imageTokenID, configuration.videoTokenID,
        configuration.visionEndTokenID,
      ].map(named).joined(separator: ", ")); tokenizer of \(tokenizer.vocabularySize) tokens
      """,
    ]
  }

  /// What blocks see, and which of them deepstack reads.
  private static func attention(_ vision: VisionConfiguration) -> String {
    func list(_ blocks: [Int]) -> String { blocks.map(String.init).joined(separator: ",") }
    let whole =
      "whole picture in \(vision.windowSize == nil ? "all blocks" : "blocks \(list(vision.fullAttentionBlocks))")"
    return (vision.windowSize.map { "windows of \($0), " } ?? "") + whole
      + (vision.deepstackBlocks.isEmpty ? "" : ", deepstack of blocks \(list(vision.deepstackBlocks))")
  }

  private func named(_ id: Int32) -> String { "\(tokenizer.text(of: id)) \(id)" }

  private static func describe(_ part: ModelPart) -> String {
    let types = part.types.map(\.rawValue).sorted().joined(separator: "+")
    let name = "  \(part.name)".padding(toLength: 17, withPad: " ", startingAt: 0)
    return name + "\(part.parameters) parameters in \(part.tensors) tensors, \(types), \(part.bytes) bytes"
  }
}
