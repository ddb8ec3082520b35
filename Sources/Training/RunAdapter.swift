// The adapter that a run asks for, and one that it may start from.
import Adapters
import Digests
import QwenVL
import RunFile
import Units

/// The adapter of a run, and how the heads of an Image-LoRA were chosen; a probe runs where influence decides.
/// - Important: Collective.
func chooseAdapter(
  _ job: Job, log: RunLog, signals: SignalRequests
) throws -> (AdapterConfiguration, Adapters.HeadSelection?) {
  let adapter = job.run.adapter
  switch adapter.kind {
  case .imageLoRA:
    let selection = try chooseHeads(job, log: log, signals: signals)
    let options = ImageLoRAConfiguration(
      rank: adapter.rank, alpha: adapter.alpha,
      normalization: ImageLoRAConfiguration.Normalization(adapter.normalization), kvIndices: selection.adapted)
    return (.imageLoRA(options), selection)
  case .lora:
    let layers = 0..<job.base.configuration.text.layers
    let options = LoRAConfiguration(
      rank: adapter.rank, alpha: adapter.alpha,
      targets: Dictionary(uniqueKeysWithValues: layers.map { ($0, adapter.projections) }))
    return (.lora(options), nil)
  }
}

extension RunConfiguration.Adapter {
  /// What a LoRA adapts in every layer.
  var projections: [Projection] {
    (targets ?? []).map { target in
      switch target {
      case .query: .query
      case .key: .key
      case .value: .value
      case .output: .output
      }
    }
  }
}

/// An adapter whose numbers training starts from.
struct AdapterStart: Sendable {
  let folder: String
  let configuration: AdapterConfiguration
  let parameters: [Float]
  /// Of the numbers.
  let digest: String

  /// - Throws: what is wrong with the folder; `TrainingError.start` for an adapter of another base or template.
  init(_ folder: String, base: BaseModel) throws {
    let conditions = try AdapterFiles.conditions(folder)
    for (what, trained, here) in [
      ("base_digest", conditions.base_digest, base.digest),
      ("chat_template_digest", conditions.chat_template_digest, base.template.digest),
    ] where trained != nil && trained != here {
      throw TrainingError.start(folder: folder, problem: "its \(what) is not that of \(base.folder)")
    }
    let adapter = try AdapterFiles.load(folder, base: base.configuration.text)
    self.folder = folder
    configuration = adapter.configuration
    parameters = adapter.parameters.values
    digest = SHA256.hex(parameters.withUnsafeBytes(Array.init))
  }

  /// - Throws: `TrainingError.start` unless it is an adapter of this shape.
  func require(_ wanted: AdapterConfiguration) throws {
    guard configuration != wanted else { return }
    func words(_ configuration: AdapterConfiguration) -> String {
      let kind = if case .lora = configuration { "lora" } else { "image_lora" }
      return "\(kind) of rank \(configuration.rank), alpha \(configuration.alpha)"
    }
    throw TrainingError.start(
      folder: folder,
      problem:
        "it is \(words(configuration)), the run says \(words(wanted)) in adapter, and targets or heads must agree too")
  }
}
