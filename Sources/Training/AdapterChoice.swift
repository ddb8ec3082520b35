// The adapter that a run asks for: its heads, where a probe may choose them, and what its training starts from.
import Adapters
import Artifacts
import Batches
import Collectives
import Digests
import Files
import RunFile

extension Job {
  /// A new adapter with its first parameters, and how the heads of an Image-LoRA were chosen; a probe runs where
  /// influence decides.
  /// - Important: Collective.
  func newAdapter(
    log: RunLog, signals: SignalRequests
  ) throws -> (adapter: any Adapter<Float>, selection: HeadSelection?) {
    let selection = run.adapter.kind == .imageLoRA ? try chooseHeads(log: log, signals: signals) : nil
    let configuration: AdapterConfiguration
    do { configuration = try self.configuration(selection) } catch { throw RankFailure(shared: error) }
    let adapter: any Adapter<Float> = configuration.adapter(base.configuration.text, base.configuration.vision)
    if let start {
      // Every rank has the same folder: all refuse it together.
      do { try start.requireShape(configuration) } catch { throw RankFailure(shared: error) }
      adapter.load(start.parameters)
    } else {
      adapter.initialize(seed: run.training.seed, gamma: run.adapter.gamma)
    }
    return (adapter, selection)
  }

  private func configuration(_ selection: HeadSelection?) throws -> AdapterConfiguration {
    let (settings, text) = (run.adapter, base.configuration.text)
    if let selection {
      return .imageLoRA(
        ImageLoRAConfiguration(
          rank: settings.rank, alpha: settings.alpha, normalization: settings.normalization,
          kvIndices: selection.adapted.filter { !text.isLinear($0.key) },
          valueHeadIndices: selection.adapted.filter { text.isLinear($0.key) }))
    }
    return .lora(try settings.lora(text, base.configuration.vision))
  }

  private func chooseHeads(log: RunLog, signals: SignalRequests) throws -> HeadSelection {
    let (text, heads) = (base.configuration.text, run.adapter.heads)
    let (capacity, budget) = (run.adapter.capacity(text), run.adapter.budget(text))
    guard capacity.contains(where: { $0 > 0 }) else {
      throw TrainingError.unsupported(
        key: "adapter.value_heads",
        value: "\(run.adapter.valueHeads?.rawValue ?? "") with \(base.configuration.family.name)",
        supported: "attention")
    }
    var selection = try selection(heads, capacity: capacity, budget: budget, log: log, signals: signals)
    selection.linearLayers = text.linearLayers(in: capacity)
    return selection
  }

  private func selection(
    _ heads: RunConfiguration.Heads, capacity: [Int], budget: Int, log: RunLog, signals: SignalRequests
  ) throws -> HeadSelection {
    let method = "\(heads.select.rawValue)/\(heads.estimator.rawValue)"
    func scores() throws -> [[Double]] {
      guard let scores = try influence(shard: .whole, log: log, signals: signals) else {
        throw TrainingError.interrupted(step: nil)
      }
      return scores.scores(heads.estimator)
    }
    let first = run.adapter.fromLayer
    switch heads.select {
    case .influence:
      return .influence(scores: try scores(), numHeads: budget, tau: heads.tau, fromLayer: first, method: method)
    case .lowest:
      return .lowest(scores: try scores(), numHeads: budget, tau: heads.tau, fromLayer: first, method: method)
    case .all: return .all(capacity: capacity, fromLayer: first)
    case .random: return .random(numHeads: budget, seed: heads.seed, capacity: capacity, fromLayer: first)
    case .perLayer:
      guard let count = heads.perLayer else {
        throw TrainingError.unsupported(key: "adapter.heads.per_layer", value: "absent", supported: "heads a layer")
      }
      return .perLayer(count, scores: try scores(), fromLayer: first)
    case .file:
      guard let selection = self.selection else {
        throw TrainingError.unsupported(key: "adapter.heads.file", value: "absent", supported: "a selection file")
      }
      return selection
    }
  }
}

/// An adapter whose parameters training starts from.
struct AdapterStart: Sendable {
  let path: String
  let configuration: AdapterConfiguration
  let parameters: [Float]
  /// Of the parameters.
  let digest: String

  /// - Parameter path: an adapter's folder, or a checkpoint.
  /// - Throws: what is wrong with it; `FileError` for an adapter of another base or template. Image limits and
  ///   coordinates may be others.
  init(_ path: String, base: BaseModel) throws {
    let source = AdapterSource(at: path)
    try source.provenance().requireMatch(
      AdapterProvenance(of: base), of: [.base, .template, .templateVariables], folder: base.folder, file: path)
    let adapter = try source.load(for: base)
    self.path = path
    configuration = adapter.configuration
    parameters = adapter.parameters.values
    digest = SHA256.hex(parameters.withUnsafeBytes(Array.init))
  }

  /// - Throws: `FileError` unless it is an adapter of this shape.
  func requireShape(_ wanted: AdapterConfiguration) throws {
    guard configuration != wanted else { return }
    func words(_ configuration: AdapterConfiguration) -> String {
      "\(configuration.kind.rawValue) of rank \(configuration.rank), alpha \(configuration.alpha)"
    }
    throw FileError(
      path,
      "it is \(words(configuration)), the run asks for \(words(wanted)) in adapter; targets or heads must agree too",
      remedy: "start from an adapter of the run's shape")
  }
}
