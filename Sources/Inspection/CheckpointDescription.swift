// What a checkpoint holds, read without the model that it belongs to.
import Adapters
import Artifacts
import Formatting
import Foundation

/// What `imagelora inspect` shows of a checkpoint; `lines` for people, the properties for programs.
package struct CheckpointDescription: Encodable, Equatable {
  /// A tensor of the adapter.
  package struct Tensor: Encodable, Equatable {
    let name: String
    let shape: [Int]
    /// Its 2-norm.
    let norm: Double
  }

  package struct Best: Encodable, Equatable {
    let step: Int
    let validationLoss: Double
  }

  package struct LastStep: Encodable, Equatable {
    let step: Int
    let loss, learningRate, gradientNorm: Double
    /// Steps of history in the file.
    let history: Int
  }

  package struct Heads: Encodable, Equatable {
    let method: String
    let count: Int
    /// Selected KV heads by layer, and selected value heads of linear attention.
    let kvIndices: [String: [Int]]
    let valueHeadIndices: [String: [Int]]?
  }

  package struct AdapterOptions: Encodable, Equatable {
    let kind: String
    let rank: Int
    let alpha: Double
    let normalization: String?
    let targets: [String]?
    let trainableParameters: Int
  }

  let file: String
  /// Its bytes are those that were saved: nothing is said of any other file.
  let isValid: Bool
  let schemaVersion, step, epoch, consumedRows, worldSize: Int
  let seed: UInt64
  let best: Best?
  let runDigest: String
  let provenance: AdapterProvenance
  let adapter: AdapterOptions
  let heads: Heads?
  let tensors: [Tensor]
  let lastStep: LastStep?
  /// Changes of the run's keys with which it went on from checkpoints; nil where there are none.
  let extensions: [TrainingState.Extension]?

  /// Reads a checkpoint; nothing of it is parsed before its digest holds.
  /// - Throws: `HDF5Error` or `FileError`, also for a damaged one.
  package init(_ path: String) throws {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    file = path
    try CheckpointFolder.verify(path)
    isValid = true
    let checkpoint = try CheckpointFile(path)
    schemaVersion = TrainingState.schemaVersion
    (step, epoch) = (try checkpoint.step(), try checkpoint.epoch())
    (consumedRows, worldSize) = (try checkpoint.consumedExamples(), try checkpoint.worldSize())
    seed = try checkpoint.seed()
    best = try checkpoint.best().map { Best(step: $0.step, validationLoss: $0.loss) }
    runDigest = try checkpoint.runDigest()
    provenance = try checkpoint.provenance()
    let (configuration, layout) = try checkpoint.adapter()
    let parameters = try checkpoint.parameters(layout: layout)
    tensors = layout.tensors.map { tensor in
      let norm = parameters[tensor.range].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      return Tensor(name: tensor.name, shape: tensor.shape, norm: norm)
    }
    adapter = AdapterOptions(configuration, layout)
    if case .imageLoRA(let options) = configuration {
      heads = Heads(
        method: try checkpoint.selectionMethod(), count: options.heads.reduce(0) { $0 + $1.value.count },
        kvIndices: Self.byLayer(options.kvIndices),
        valueHeadIndices: options.valueHeadIndices.isEmpty ? nil : Self.byLayer(options.valueHeadIndices))
    } else {
      heads = nil
    }
    let extensions = try checkpoint.extensions()
    self.extensions = extensions.isEmpty ? nil : extensions
    let metrics = try checkpoint.metrics()
    lastStep = metrics.last.map {
      LastStep(
        step: $0.step, loss: $0.loss, learningRate: $0.learningRate, gradientNorm: $0.gradientNorm,
        history: metrics.count)
    }
  }

  private static func byLayer(_ heads: [Int: [Int]]) -> [String: [Int]] {
    Dictionary(uniqueKeysWithValues: heads.map { ("\($0)", $1) })
  }

  package var lines: [String] {
    func line(_ name: String, _ value: Any) -> String { padded(name, to: 16, gap: 2) + "\(value)" }
    var lines = [
      line("checkpoint", file), line("checksum", "valid"),
      line("schema_version", schemaVersion), line("step", step), line("epoch", epoch),
      line("examples seen", consumedRows), line("world_size", worldSize), line("seed", seed),
    ]
    for change in extensions ?? [] {
      lines.append(line("extended", "after step \(change.step): \(change.words)"))
    }
    if let best { lines.append(line("best", "validation loss \(best.validationLoss) at step \(best.step)")) }
    lines += [
      line("run", runDigest), line("base", provenance.baseDigest ?? "unknown"),
      line("template", Self.template(provenance)),
      line("image limits", "\(Self.words(provenance.minPixels)) to \(Self.words(provenance.maxPixels)) pixels"),
      line("coordinates", provenance.coordinates?.rawValue ?? "unknown"), line("adapter", adapter.words),
    ]
    if let heads { lines.append(line("heads", heads.words)) }
    lines.append(line("trainable", "\(adapter.trainableParameters) parameters"))
    lines += tensors.map { tensor in
      "  " + padded(tensor.name, to: 16, gap: 2) + padded("\(tensor.shape)", to: 18, gap: 2)
        + "norm \(significant(tensor.norm, digits: 6))"
    }
    if let last = lastStep {
      lines.append(
        line(
          "last step",
          "\(last.step): loss \(significant(last.loss, digits: 6)), learning rate "
            + "\(significant(last.learningRate, digits: 6)), gradient norm \(significant(last.gradientNorm, digits: 6)) "
            + "(\(plural(last.history, "step")) of history)"))
    }
    return lines
  }

  private static func template(_ provenance: AdapterProvenance) -> String {
    let variables = provenance.templateVariables.map { " with \($0.canonical)" } ?? ""
    return (provenance.templateDigest ?? "unknown") + variables
  }

  private static func words(_ limit: Int?) -> String { limit.map(String.init) ?? "unknown" }
}

extension CheckpointDescription.AdapterOptions {
  init(_ configuration: AdapterConfiguration, _ layout: AdapterLayout) {
    var normalization: String?
    var targets: [String]?
    switch configuration {
    case .imageLoRA(let options): normalization = options.normalization.rawValue
    case .lora(let options): targets = options.kinds
    }
    self.init(
      kind: configuration.kind.rawValue, rank: configuration.rank, alpha: configuration.alpha,
      normalization: normalization, targets: targets, trainableParameters: layout.count)
  }

  var words: String {
    "\(kind), rank \(rank), alpha \(alpha)" + (normalization.map { ", normalization \($0)" } ?? "")
      + (targets.map { ", all tokens, \($0.joined(separator: " "))" } ?? "")
  }
}

extension CheckpointDescription.Heads {
  var words: String {
    func listed(_ heads: [String: [Int]], _ name: String) -> String {
      let layers = Dictionary(uniqueKeysWithValues: heads.map { (Int($0) ?? 0, $1) })
      let count = layers.values.reduce(0) { $0 + $1.count }
      return "\(plural(count, name)) in \(plural(layers.count, "layer")) (\(method)): \(layers.listing)"
    }
    let parts = [(kvIndices, "KV head"), (valueHeadIndices ?? [:], "value head")].filter { !$0.0.isEmpty }
    return parts.map { listed($0, $1) }.joined(separator: "; ")
  }
}
