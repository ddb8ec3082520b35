// Where a command finds an adapter: a checkpoint of a run, or a folder that export or PEFT made.
import Adapters
import Evaluation
import Foundation
import HDF5
import QwenVL
import Training
import Units

/// An adapter on disk.
enum AdapterSource {
  case checkpoint(String)
  case folder(String)

  var path: String {
    switch self {
    case .checkpoint(let path), .folder(let path): path
    }
  }

  /// What it must be used with, checked against its checksum where it has one.
  func conditions() throws -> AdapterConditions {
    switch self {
    case .checkpoint(let path):
      guard FileManager.default.fileExists(atPath: path) else {
        throw EvaluationError.file(path, problem: "there is no such file; name a checkpoint of the run")
      }
      try CheckpointStore.verify(path)
      let file = try File.open(path)
      return AdapterConditions(
        baseDigest: try file.attribute("base_digest", as: String.self),
        templateDigest: try file.attribute("chat_template_digest", of: "/adapter", as: String.self),
        minPixels: Int(try file.attribute("min_pixels", of: "/adapter", as: Int64.self)),
        maxPixels: Int(try file.attribute("max_pixels", of: "/adapter", as: Int64.self)))
    case .folder(let path):
      return AdapterConditions(try AdapterFiles.conditions(path))
    }
  }

  /// The adapter for a base that fulfils its conditions.
  func load(for base: BaseModel) throws -> any Adapter<Float> {
    switch self {
    case .checkpoint(let path):
      // The optimizer's state is read along and not used: its options are of no account.
      let state = try TrainingState(
        reading: path, text: base.configuration.text, baseDigest: base.digest,
        options: AdamW.Options(beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0))
      let adapter: any Adapter<Float> = state.adapter.adapter(base.configuration.text)
      adapter.load(state.parameters)
      return adapter
    case .folder(let path):
      return try AdapterFiles.load(path, base: base.configuration.text)
    }
  }
}
