// What a checkpoint or a scores file holds, read without the model that it belongs to.
import Adapters
import ArgumentParser
import Evaluation
import Foundation
import HDF5
import Training

/// Shows one HDF5 file of this program.
struct HDF5Listing {
  let path: String
  /// Largest dataset that is read.
  private static var maximumNumbers: Int { 1 << 28 }

  init(_ path: String) { self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path }

  func show() throws {
    let (isCheckpoint, isScores) = try kinds()
    if isCheckpoint {
      try showCheckpoint()
    } else if isScores {
      try showScores()
    } else {
      throw EvaluationError.file(path, problem: "is neither a checkpoint nor a scores file; look at it with h5dump")
    }
  }

  private func kinds() throws -> (isCheckpoint: Bool, isScores: Bool) {
    let file = try File.open(path)
    return (try file.exists("/adapter"), try file.exists("/rows/rank1_norm2"))
  }

  // MARK: - Checkpoint

  private func showCheckpoint() throws {
    // Before anything else is read: a damaged file is told as such.
    let damage = Result { try CheckpointStore.verify(path) }
    say("checkpoint      \(path)")
    switch damage {
    case .success: say("checksum        sound")
    case .failure(let error): say("checksum        NOT SOUND: \(error)")
    }
    let file = try File.open(path)
    for name in ["schema_version", "step", "epoch", "consumed_rows", "world_size", "complete"] {
      say(Self.pad(name) + "\(try file.attribute(name, as: Int64.self))")
    }
    say(Self.pad("seed") + "\(UInt64(bitPattern: try file.attribute("seed", as: Int64.self)))")
    if try file.hasAttribute("best_step") {
      let loss = try file.attribute("best_validation_loss", as: Double.self)
      say(Self.pad("best") + "validation loss \(loss) at step \(try file.attribute("best_step", as: Int64.self))")
    }
    say("provenance")
    say("  run           \(try file.attribute("run_digest", as: String.self))")
    say("  base          \(try file.attribute("base_digest", as: String.self))")
    say("  template      \(try file.attribute("chat_template_digest", of: "/adapter", as: String.self))")
    say(
      "  pixels        \(try file.attribute("min_pixels", of: "/adapter", as: Int64.self)) to "
        + "\(try file.attribute("max_pixels", of: "/adapter", as: Int64.self))")
    let options =
      "rank \(try file.attribute("rank", of: "/adapter", as: Int64.self)), alpha "
      + "\(try file.attribute("alpha", of: "/adapter", as: Double.self))"
    if try file.hasAttribute("kind", of: "/adapter") {
      say("adapter         \(try file.attribute("kind", of: "/adapter", as: String.self)), \(options), all tokens")
    } else {
      say(
        "adapter         \(options), normalization "
          + "\(try file.attribute("normalization", of: "/adapter", as: String.self))")
      try showHeads(file)
    }
    try showTensors(file)
    try showMetrics(file)
    try damage.get()
  }

  private func showHeads(_ file: borrowing File) throws {
    var heads: [(layer: Int, heads: [Int32])] = []
    for name in try file.children(of: "/adapter/kv_indices") {
      guard let layer = Int(name) else {
        throw EvaluationError.file(path, problem: "/adapter/kv_indices/\(name) is no layer; use another checkpoint")
      }
      heads.append((layer, try file.read(Int32.self, from: "/adapter/kv_indices/\(name)", maximumCount: 65_536).values))
    }
    heads.sort { $0.layer < $1.layer }
    let method =
      try file.exists("/influence/estimator")
      ? try file.read(String.self, from: "/influence/estimator", shape: [])[0] : "unknown"
    let count = heads.reduce(0) { $0 + $1.heads.count }
    say(
      "heads           \(count) KV heads in \(heads.count) layers (\(method)): "
        + heads.map { layer, heads in
          "\(layer)[\(heads.map(String.init).joined(separator: ","))]"
        }.joined(separator: " "))
  }

  private func showTensors(_ file: borrowing File) throws {
    let names = try file.children(of: "/adapter").filter { $0.hasPrefix("layers.") }
    let tensors = try names.sorted { $0.localizedStandardCompare($1) == .orderedAscending }.map { name in
      let (values, shape) = try file.read(Float.self, from: "/adapter/\(name)", maximumCount: Self.maximumNumbers)
      return (name: name, values: values, shape: shape)
    }
    say("trainable       \(tensors.reduce(0) { $0 + $1.values.count }) numbers")
    for (name, values, shape) in tensors {
      let norm = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      say("  " + Self.pad(name, 16) + Self.pad("\(shape)", 18) + String(format: "norm %.6g", norm))
    }
  }

  private func showMetrics(_ file: borrowing File) throws {
    let steps = try file.read(Int64.self, from: "/metrics/step", maximumCount: Self.maximumNumbers).values
    guard let last = steps.last else { return }
    func end(_ name: String) throws -> String {
      let values = try file.read(Double.self, from: "/metrics/\(name)", shape: [steps.count])
      return String(format: "%.6g", values[steps.count - 1])
    }
    say(
      "last step       \(last): loss \(try end("loss")), learning rate \(try end("learning_rate")), gradient norm "
        + "\(try end("gradient_norm")) (\(steps.count) steps of history)")
  }

  // MARK: - Scores

  private func showScores() throws {
    let scores = try InfluenceScores(reading: path)
    say("scores          \(path)")
    say("checksum        sound (Fletcher-32 of every dataset; sums agree with rows)")
    say("rows            \(scores.rows.count), shard \(scores.shard), seed \(scores.seed)")
    say("heads           \(scores.layers) layers of \(scores.kvHeads) KV heads")
    say("base            \(scores.baseDigest)")
    say("data            \(scores.dataDigest)")
    for estimator in Estimator.allCases {
      let best = scores.scores(estimator).enumerated().flatMap { layer, heads in
        heads.enumerated().map { (layer: layer, head: $0, score: $1) }
      }.sorted { $0.score > $1.score }.prefix(8)
      let list = best.map { "\($0.layer)[\($0.head)] " + String(format: "%.3g", $0.score) }.joined(separator: ", ")
      say("highest         \(estimator.rawValue): \(list)")
    }
  }

  private static func pad(_ text: String, _ width: Int = 16) -> String {
    text.count < width ? text.padding(toLength: width, withPad: " ", startingAt: 0) : text + "  "
  }
}
