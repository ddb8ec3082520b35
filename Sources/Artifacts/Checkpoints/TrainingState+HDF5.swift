// The checkpoint schema, written and read: docs/formats.md states it for others.
import Adapters
import Batches
import Foundation
import HDF5
import HuggingFace

extension TrainingState {
  package static let schemaVersion = 1

  /// Fills a new checkpoint file.
  /// - Throws: `HDF5Error`.
  func write(to file: borrowing File) throws {
    try file.setAttribute("schema_version", to: Int64(Self.schemaVersion))
    try file.setAttribute("step", to: Int64(step))
    try file.setAttribute("epoch", to: Int64(epoch))
    try file.setAttribute("consumed_rows", to: Int64(consumedExamples))
    try file.setAttribute("world_size", to: Int64(run.worldSize))
    try file.setAttribute("seed", to: Int64(bitPattern: run.seed))
    try file.setAttribute("run_digest", to: run.digest)
    let provenance = run.provenance
    if let digest = provenance.baseDigest { try file.setAttribute("base_digest", to: digest) }
    if let digest = run.imagesDigest { try file.setAttribute("images_digest", to: digest) }
    if let start {
      try file.setAttribute("start_validation_loss", to: start.loss)
      if let score = start.score { try file.setAttribute("start_score", to: score.value) }
    }
    if let best {
      try file.setAttribute("best_step", to: Int64(best.step))
      try file.setAttribute("best_validation_loss", to: best.loss)
      if let score = best.score { try file.setAttribute("best_score", to: score.value) }
    }
    if let score = best?.score ?? start?.score { try file.setAttribute("best_by", to: score.name) }
    if validationDue { try file.setAttribute("validation_due", to: Int64(1)) }
    try file.write([run.yaml], shape: [], to: "/run/yaml")
    if !extensions.isEmpty { try file.write([try Self.json(extensions)], shape: [], to: CheckpointFile.extensionsPath) }

    let imageLoRA: ImageLoRAConfiguration? = if case .imageLoRA(let options) = adapter { options } else { nil }
    try file.createGroup(imageLoRA == nil ? "/adapter" : "/adapter/kv_indices")
    try file.setAttribute("rank", of: "/adapter", to: Int64(adapter.rank))
    try file.setAttribute("alpha", of: "/adapter", to: adapter.alpha)
    if let imageLoRA {
      try file.setAttribute("normalization", of: "/adapter", to: imageLoRA.normalization.rawValue)
    } else {
      try file.setAttribute("kind", of: "/adapter", to: adapter.kind.rawValue)
    }
    if let digest = provenance.templateDigest {
      try file.setAttribute("chat_template_digest", of: "/adapter", to: digest)
    }
    if let variables = provenance.templateVariables {
      try file.setAttribute("chat_template_variables", of: "/adapter", to: variables.canonical)
    }
    for (name, limit) in [("min_pixels", provenance.minPixels), ("max_pixels", provenance.maxPixels)] {
      if let limit { try file.setAttribute(name, of: "/adapter", to: Int64(limit)) }
    }
    if let digest = provenance.baseFullDigest { try file.setAttribute("base_full_digest", to: digest) }
    for (name, choice) in [
      ("coordinates", provenance.coordinates?.rawValue), ("transparency", provenance.transparency?.rawValue),
      ("exif_orientation", provenance.exifOrientation?.rawValue),
    ] {
      if let choice { try file.setAttribute(name, of: "/adapter", to: choice) }
    }
    for (group, indices) in [
      ("kv_indices", imageLoRA?.kvIndices ?? [:]), ("value_head_indices", imageLoRA?.valueHeadIndices ?? [:]),
    ] {
      for (layer, heads) in indices.sorted(by: { $0.key < $1.key }) {
        try file.write(
          heads.map { Int32($0) }, shape: [heads.count], to: "/adapter/\(group)/\(layer)", filters: [.fletcher32])
      }
    }
    var alphas: [String: Double] = [:]
    if case .lora(let options) = adapter {
      for (module, alpha) in options.alphas { alphas["\(module.name).A"] = alpha }
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
    for (name, alpha) in alphas.sorted(by: { $0.key < $1.key }) {
      try file.setAttribute("alpha", of: "/adapter/\(name)", to: alpha)
    }
    try file.createGroup("/optimizer")
    try file.setAttribute("step", of: "/optimizer", to: Int64(optimizer.step))
    if !optimizer.gradientExponents.isEmpty {
      try file.write(
        optimizer.gradientExponents.map { Int32($0) }, shape: [layout.tensors.count],
        to: "/optimizer/gradient_exponents", filters: [.fletcher32])
    }

    if let selection {
      if !selection.scores.isEmpty, Set(selection.scores.map(\.count)).count == 1 {
        try file.write(
          selection.scores.flatMap(\.self), shape: [selection.scores.count, selection.scores[0].count],
          to: "/influence/scores", filters: [.fletcher32])
      }
      try file.write([selection.method], shape: [], to: "/influence/estimator")
      try file.write([try selection.json()], shape: [], to: "/influence/selection")
    }

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

  private static func json(_ extensions: [Extension]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(extensions), as: UTF8.self)
  }

  /// Reads a checkpoint for a base in use.
  /// - Throws: `HDF5Error`, or `FileError` for one of another schema, base or shape.
  package init(reading path: String, for base: BaseModel) throws {
    try self.init(
      reading: path, for: base.configuration.text, base.configuration.vision, AdapterProvenance(of: base),
      folder: base.folder)
  }

  init(
    reading path: String, for text: TextConfiguration, _ vision: VisionConfiguration?, _ used: AdapterProvenance,
    folder: String
  ) throws {
    let file = try CheckpointFile(path)
    (adapter, layout) = try file.adapter(for: text, vision, used, folder: folder)
    run = RunIdentity(
      digest: try file.runDigest(), yaml: try file.runYAML(), seed: try file.seed(), worldSize: try file.worldSize(),
      provenance: try file.provenance(), imagesDigest: try file.imagesDigest())
    epoch = try file.epoch()
    consumedExamples = try file.consumedExamples()
    start = try file.start()
    best = try file.best()
    validationDue = try file.validationDue()
    extensions = try file.extensions()
    parameters = try file.parameters(layout: layout)
    optimizer = try file.optimizer(layout: layout)
    selection = adapter.kind == .imageLoRA ? try file.selection(for: text) : nil
    metrics = try file.metrics()
    let step = try file.step()
    guard optimizer.step == step else { throw file.refuse("optimizer step \(optimizer.step) is not step \(step)") }
  }
}
