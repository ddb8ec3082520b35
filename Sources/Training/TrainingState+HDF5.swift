// The checkpoint schema, written and read: docs/formats.md states it for others.
import Adapters
import Foundation
import HDF5
import HuggingFace

/// A checkpoint that cannot be used, and why.
public struct CheckpointError: Error, Equatable, CustomStringConvertible {
  public let file: String
  public let problem: String
  public var description: String { "\(file): \(problem)" }
}

extension TrainingState {
  public static let schemaVersion = 1
  /// Steps of history that are read at most.
  private static var maximumSteps: Int { 1 << 24 }

  /// Fills a new checkpoint file.
  /// - Throws: `HDF5Error`.
  func write(to file: borrowing File, layout: AdapterLayout) throws {
    try file.setAttribute("schema_version", to: Int64(Self.schemaVersion))
    try file.setAttribute("step", to: Int64(step))
    try file.setAttribute("epoch", to: Int64(epoch))
    try file.setAttribute("consumed_rows", to: Int64(consumedRows))
    try file.setAttribute("world_size", to: Int64(worldSize))
    try file.setAttribute("seed", to: Int64(bitPattern: seed))
    try file.setAttribute("run_digest", to: runDigest)
    try file.setAttribute("base_digest", to: provenance.baseDigest)
    if let best {
      try file.setAttribute("best_step", to: Int64(best.step))
      try file.setAttribute("best_validation_loss", to: best.loss)
    }
    try file.write([runYAML], shape: [], to: "/run/yaml")

    try file.createGroup("/adapter/kv_indices")
    try file.setAttribute("rank", of: "/adapter", to: Int64(adapter.rank))
    try file.setAttribute("alpha", of: "/adapter", to: adapter.alpha)
    try file.setAttribute("normalization", of: "/adapter", to: adapter.normalization.rawValue)
    try file.setAttribute("chat_template_digest", of: "/adapter", to: provenance.templateDigest)
    try file.setAttribute("min_pixels", of: "/adapter", to: Int64(provenance.minPixels))
    try file.setAttribute("max_pixels", of: "/adapter", to: Int64(provenance.maxPixels))
    for (layer, heads) in adapter.kvIndices.sorted(by: { $0.key < $1.key }) {
      try file.write(
        heads.map { Int32($0) }, shape: [heads.count], to: "/adapter/kv_indices/\(layer)", filters: [.fletcher32])
    }
    for (group, values) in [
      ("/adapter", parameters), ("/optimizer/exp_avg", optimizer.expAvg), ("/optimizer/exp_avg_sq", optimizer.expAvgSq),
    ] {
      for tensor in layout.tensors {
        try file.write(
          Array(values[tensor.range]), shape: tensor.shape.isEmpty ? [1] : tensor.shape,
          to: "\(group)/\(tensor.name)", filters: [.fletcher32])
      }
    }
    try file.createGroup("/optimizer")
    try file.setAttribute("step", of: "/optimizer", to: Int64(optimizer.step))

    if !selection.scores.isEmpty, Set(selection.scores.map(\.count)).count == 1 {
      try file.write(
        selection.scores.flatMap(\.self), shape: [selection.scores.count, selection.scores[0].count],
        to: "/influence/scores", filters: [.fletcher32])
    }
    try file.write([selection.method], shape: [], to: "/influence/estimator")
    try file.write([try selection.json()], shape: [], to: "/influence/selection")

    func column<T: Element>(_ name: String, _ values: [T]) throws {
      try file.write(values, shape: [values.count], to: "/metrics/\(name)", filters: [.fletcher32])
    }
    try column("step", metrics.map { Int64($0.step) })
    try column("loss", metrics.map(\.loss))
    try column("learning_rate", metrics.map(\.learningRate))
    try column("gradient_norm", metrics.map(\.gradientNorm))
    try column("tokens", metrics.map { Int64($0.tokens) })
    try file.setAttribute("complete", to: Int64(1))
  }

  /// Reads a checkpoint for a model of the stated shape.
  /// - Throws: `HDF5Error`, or `CheckpointError` for one of another schema, base or shape.
  public init(reading path: String, text: TextConfiguration, baseDigest: String, options: AdamW.Options) throws {
    let file = try File.open(path)
    func refuse(_ problem: String) -> CheckpointError { CheckpointError(file: path, problem: problem) }
    func integer(_ name: String, of object: String = "/") throws -> Int {
      Int(try file.attribute(name, of: object, as: Int64.self))
    }
    let version = try integer("schema_version")
    guard version == Self.schemaVersion else {
      throw refuse("schema_version \(version) is not \(Self.schemaVersion), the one that this version reads")
    }
    guard try integer("complete") == 1 else { throw refuse("it is not complete; use an earlier checkpoint") }
    let base = try file.attribute("base_digest", as: String.self)
    guard base == baseDigest else {
      throw refuse("it was trained on another base model (base_digest \(base.prefix(12))..., this base is "
        + "\(baseDigest.prefix(12))...); give the base that it was trained on")
    }
    step = try integer("step")
    epoch = try integer("epoch")
    consumedRows = try integer("consumed_rows")
    worldSize = try integer("world_size")
    guard step >= 0, epoch >= 0, consumedRows >= 0 else { throw refuse("a counter is negative") }
    seed = UInt64(bitPattern: try file.attribute("seed", as: Int64.self))
    runDigest = try file.attribute("run_digest", as: String.self)
    runYAML = try file.read(String.self, from: "/run/yaml", shape: [])[0]
    provenance = Provenance(
      baseDigest: base, templateDigest: try file.attribute("chat_template_digest", of: "/adapter", as: String.self),
      minPixels: try integer("min_pixels", of: "/adapter"), maxPixels: try integer("max_pixels", of: "/adapter"))
    best = try file.hasAttribute("best_step")
      ? Best(step: try integer("best_step"), loss: try file.attribute("best_validation_loss", as: Double.self)) : nil

    var kvIndices: [Int: [Int]] = [:]
    for name in try file.children(of: "/adapter/kv_indices") {
      let heads = try file.read(Int32.self, from: "/adapter/kv_indices/\(name)", maximumCount: text.kvHeads).values
      guard let layer = Int(name), (0..<text.layers).contains(layer), !heads.isEmpty,
        heads.allSatisfy({ (0..<Int32(text.kvHeads)).contains($0) }), Set(heads).count == heads.count
      else { throw refuse("kv_indices of layer \(name) do not fit the model") }
      kvIndices[layer] = heads.map(Int.init)
    }
    let normalization = try file.attribute("normalization", of: "/adapter", as: String.self)
    guard let normalization = ImageLoRAConfiguration.Normalization(rawValue: normalization) else {
      throw refuse("normalization \(normalization) is unknown")
    }
    let rank = try integer("rank", of: "/adapter")
    guard (1...65_536).contains(rank), !kvIndices.isEmpty else { throw refuse("rank \(rank) or an empty selection") }
    adapter = ImageLoRAConfiguration(
      rank: rank, alpha: try file.attribute("alpha", of: "/adapter", as: Double.self), normalization: normalization,
      kvIndices: kvIndices)
    let layout = AdapterLayout(adapter, text: text)
    func vector(_ group: String) throws -> [Float] {
      let values = try layout.tensors.flatMap {
        try file.read(Float.self, from: "\(group)/\($0.name)", shape: $0.shape.isEmpty ? [1] : $0.shape)
      }
      guard values.allSatisfy(\.isFinite) else { throw refuse("a number of \(group) is not finite") }
      return values
    }
    parameters = try vector("/adapter")
    optimizer = AdamW(count: layout.count, options: options)
    optimizer.expAvg = try vector("/optimizer/exp_avg")
    optimizer.expAvgSq = try vector("/optimizer/exp_avg_sq")
    optimizer.step = try integer("step", of: "/optimizer")
    guard optimizer.step == step else { throw refuse("optimizer step \(optimizer.step) is not step \(step)") }
    selection = try HeadSelection(
      json: try file.read(String.self, from: "/influence/selection", shape: [])[0], file: path, text: text)

    let steps = try file.read(Int64.self, from: "/metrics/step", maximumCount: Self.maximumSteps).values
    let losses = try file.read(Double.self, from: "/metrics/loss", shape: [steps.count])
    let rates = try file.read(Double.self, from: "/metrics/learning_rate", shape: [steps.count])
    let norms = try file.read(Double.self, from: "/metrics/gradient_norm", shape: [steps.count])
    let tokens = try file.read(Int64.self, from: "/metrics/tokens", shape: [steps.count])
    metrics = steps.indices.map {
      StepMetrics(
        step: Int(steps[$0]), loss: losses[$0], learningRate: rates[$0], gradientNorm: norms[$0], tokens: Int(tokens[$0]))
    }
  }
}
