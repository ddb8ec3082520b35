// A model folder whose weights are not there: what its configuration says.
import Costs
import Formatting
import HuggingFace

/// What `imagelora inspect` shows of a model folder without weights; `lines` for people, the properties for programs.
package struct ModelOutline: Encodable, Equatable {
  let folder, family: String
  let layers, hiddenSize, intermediateSize, attentionHeads, kvHeads, headDimension, vocabularySize: Int
  let visionBlocks, visionHiddenSize: Int
  /// Of the whole model, were its weights there.
  let parameters: Int

  /// - Throws: `HuggingFaceError` for a configuration that is none.
  package init(folder: String) throws {
    let configuration = try ModelConfiguration(folder: folder)
    let (text, vision) = (configuration.text, configuration.vision)
    (self.folder, family) = (folder, configuration.family.rawValue)
    (layers, hiddenSize, intermediateSize) = (text.layers, text.hiddenSize, text.intermediateSize)
    (attentionHeads, kvHeads, headDimension) = (text.attentionHeads, text.kvHeads, text.headDimension)
    (vocabularySize, visionBlocks, visionHiddenSize) = (text.vocabularySize, vision.depth, vision.hiddenSize)
    parameters = ParameterCounts(configuration).total
  }

  package var lines: [String] {
    [
      "folder           \(folder)",
      "family           \(family)",
      """
      decoder          \(layers) layers, hidden \(hiddenSize), intermediate \(intermediateSize), \(attentionHeads) heads, \
      \(kvHeads) KV heads of \(headDimension), vocabulary \(vocabularySize)
      """,
      "vision tower     \(visionBlocks) blocks, hidden \(visionHiddenSize)",
      "parameters       \(grouped(parameters)) by config.json",
      "weights          none in the folder: model.safetensors, or shards with an index, are needed to train",
    ]
  }
}
