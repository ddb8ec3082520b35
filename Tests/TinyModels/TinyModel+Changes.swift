// Changes to a tiny model's folder after it was written: other tensors, tied or not.
import Foundation
import HuggingFace
import TestSupport

extension TinyModel {
  /// Rewrites model.safetensors with other tensors.
  package func changeWeights(_ change: (inout [SafetensorsWriter.Tensor]) throws -> Void) throws {
    let file = folder + "/model.safetensors"
    let checkpoint = try Checkpoint(file: file)
    var tensors = try checkpoint.names.map { name in
      let stored = try checkpoint.tensor(name, shape: checkpoint.shape(of: name) ?? [])
      let values = UnsafeRawBufferPointer(start: stored.base, count: 4 * stored.count).bindMemory(to: Float.self)
      return SafetensorsWriter.Tensor(name: name, shape: stored.shape, values: Array(values))
    }
    try change(&tensors)
    // A new file: the old one may be mapped.
    try SafetensorsWriter.encode(tensors).write(to: URL(filePath: file), options: .atomic)
  }

  /// States in config.json whether the head is the embedding.
  package func setTied(_ isTied: Bool) throws {
    let file = URL(filePath: folder + "/config.json")
    var config = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
    config["tie_word_embeddings"] = isTied
    try JSONSerialization.data(withJSONObject: config).write(to: file)
  }
}

extension SafetensorsWriter.Tensor {
  /// The same values under another name.
  package func renamed(_ name: String) -> Self { Self(name: name, shape: shape, values: values) }
}
