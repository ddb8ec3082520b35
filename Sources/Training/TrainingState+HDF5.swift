// The checkpoint schema, written and read: docs/formats.md states it for others.
import Adapters
import HDF5
import HuggingFace

extension TrainingState {
  package static let schemaVersion = 1

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
    if validationDue { try file.setAttribute("validation_due", to: Int64(1)) }
    try file.write([runYAML], shape: [], to: "/run/yaml")

    let imageLoRA: ImageLoRAConfiguration? = if case .imageLoRA(let options) = adapter { options } else { nil }
    try file.createGroup(imageLoRA == nil ? "/adapter" : "/adapter/kv_indices")
    try file.setAttribute("rank", of: "/adapter", to: Int64(adapter.rank))
    try file.setAttribute("alpha", of: "/adapter", to: adapter.alpha)
    if let imageLoRA {
      try file.setAttribute("normalization", of: "/adapter", to: imageLoRA.normalization.rawValue)
    } else {
      try file.setAttribute("kind", of: "/adapter", to: "lora")
    }
    try file.setAttribute("chat_template_digest", of: "/adapter", to: provenance.templateDigest)
    try file.setAttribute("min_pixels", of: "/adapter", to: Int64(provenance.minPixels))
    try file.setAttribute("max_pixels", of: "/adapter", to: Int64(provenance.maxPixels))
    for (layer, heads) in (imageLoRA?.kvIndices ?? [:]).sorted(by: { $0.key < $1.key }) {
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

  /// Reads a checkpoint for a model of the stated shape.
  /// - Throws: `HDF5Error`, or `CheckpointError` for one of another schema, base or shape.
  package init(reading path: String, text: TextConfiguration, baseDigest: String, options: AdamW.Options) throws {
    let file = try CheckpointFile(path)
    provenance = try file.provenance()
    let base = provenance.baseDigest
    guard base == baseDigest else {
      throw file.refuse(
        "it was trained on another base model (base_digest \(base.prefix(12))..., this base is "
          + "\(baseDigest.prefix(12))...); give the base that it was trained on")
    }
    step = try file.step()
    epoch = try file.epoch()
    consumedRows = try file.consumedRows()
    worldSize = try file.worldSize()
    seed = try file.seed()
    runDigest = try file.runDigest()
    runYAML = try file.runYAML()
    best = try file.best()
    validationDue = try file.validationDue()
    let layout: AdapterLayout
    (adapter, layout) = try file.adapter()
    guard adapter.fits(text, layout: layout) else {
      throw file.refuse("its adapter's layers, heads or widths do not fit the model")
    }
    parameters = try file.numbers(layout: layout)
    optimizer = AdamW(count: layout.count, options: options)
    optimizer.expAvg = try file.numbers("/optimizer/exp_avg", layout: layout)
    optimizer.expAvgSq = try file.numbers("/optimizer/exp_avg_sq", layout: layout)
    optimizer.step = try file.integer("step", of: "/optimizer")
    guard optimizer.step == step else { throw file.refuse("optimizer step \(optimizer.step) is not step \(step)") }
    if case .imageLoRA = adapter {
      selection = try HeadSelection(json: try file.selectionJSON(), file: path, text: text)
    }
    metrics = try file.metrics()
  }
}
