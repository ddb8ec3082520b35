// The probe: every head's influence on some rows of the run, by any number of ranks or independent shards.
import Adapters
import Collectives
import Datasets
import Foundation
import HuggingFace
import RunFile
import Tensors
import Units

extension Job {
  /// The rows that a probe measures: all, or `probe_rows` of them drawn by the heads' seed; in file order.
  var probeRows: [Int] {
    let all = training.rows.count
    guard let wanted = run.adapter.heads.probeRows, wanted < all else { return Array(0..<all) }
    return Sampler(rows: all, globalBatch: wanted, seed: run.adapter.heads.seed).rows(step: 0).sorted()
  }

  /// Influence of all heads on the rows of a shard, the same bits for any number of ranks.
  /// - Parameter shard: which part of the probe's rows: every `count`-th from each of `indices` on.
  /// - Returns: nil if a signal to stop came meanwhile.
  /// - Important: Collective.
  package func influence(shard: Shard, log: RunLog, signals: SignalRequests) throws -> InfluenceScores? {
    guard run.adapter.kind == .imageLoRA else {
      throw TrainingError.unsupported(
        key: "adapter.kind", value: "\(run.adapter.kind.rawValue) with a probe", supported: "image_lora")
    }
    let text = base.configuration.text
    let seed = run.adapter.heads.seed
    let rows = probeRows.enumerated().filter { shard.indices.contains($0.offset % shard.count) }.map(\.element)
    guard !rows.isEmpty else { throw TrainingError.noRows(file: "\(training.file), shard \(shard)") }
    let probe = InfluenceProbe<Float>(
      text: text, projections: InfluenceProbe.seededProjections(text: text, seed: seed))
    let hands = deal(units: rows.map { Double(training.shapes[$0].tokens) }, ranks: communicator.size)
    var progress = log.counter("probe", of: hands[communicator.rank].count)
    let found: [RowInfluence?] = try mapOverRanks(
      hands, communicator, naming: { "probing \(names([training.rows[rows[$0]]]))" }
    ) { index -> RowInfluence? in
      if signals.stopRequested { return nil }
      let row = rows[index]
      let input = try base.packedBatch([Datasets.Unit(rows: [row])], of: training)
      defer { progress.advance() }
      return try rowInfluence(input, id: training.rows[row].id, probe: probe)
    }
    guard !found.contains(where: { $0 == nil }) else { return nil }
    return InfluenceScores(
      layers: text.layers, kvHeads: text.kvHeads, seed: seed, baseDigest: base.digest, dataDigest: training.digest,
      shard: shard, rows: found.compactMap(\.self))
  }

  /// One row's influence from one backward pass of its mean NLL.
  private func rowInfluence(
    _ input: PackedBatch, id: String, probe: InfluenceProbe<Float>
  ) throws -> RowInfluence {
    let gradients = base.influence(of: input, probe: probe, activationBytes: run.activationBytes)
    let row = RowInfluence(
      id: id,
      rank1Norm2: stride(from: 0, to: gradients.rank1.count, by: probe.headDimension).map { start in
        gradients.rank1[start..<start + probe.headDimension].reduce(0) { $0 + Double($1) * Double($1) }
      },
      gateGradient: gradients.gate.map(Double.init))
    guard (row.rank1Norm2 + row.gateGradient).allSatisfy(\.isFinite) else {
      throw TrainingError.notFinite(step: 0, what: "the influence of row \(id)")
    }
    return row
  }
}

extension BaseModel {
  /// Gradients of a row's mean NLL for both estimators: gate `[L Hkv]`, rank-1 `[L Hkv D]`.
  func influence(
    of row: PackedBatch, probe: InfluenceProbe<Float>, activationBytes: Int = .max
  ) -> (gate: [Float], rank1: [Float]) {
    probe.reset()
    let tokens = Float(lossAndGradient(row, adapter: probe, activationBytes: activationBytes)[0].tokens)
    return (probe.gateGradient.values.map { $0 / tokens }, probe.rank1Gradient.values.map { $0 / tokens })
  }
}

/// The heads that the run asks for; a probe runs where they are chosen by influence.
/// - Important: Collective.
func chooseHeads(_ job: Job, log: RunLog, signals: SignalRequests) throws -> Adapters.HeadSelection {
  let text = job.base.configuration.text
  let heads = job.run.adapter.heads
  let all = text.layers * text.kvHeads
  let budget = heads.numHeads ?? max(1, all / 4)
  let estimator = Adapters.Estimator(heads.estimator)
  func scores() throws -> [[Double]] {
    guard let scores = try job.influence(shard: .whole, log: log, signals: signals) else {
      throw TrainingError.interrupted(step: nil)
    }
    return scores.scores(estimator)
  }
  switch heads.select {
  case .influence:
    return .influence(
      scores: try scores(), numHeads: budget, tau: heads.tau, method: "influence/\(estimator.rawValue)")
  case .lowest:
    return .lowest(scores: try scores(), numHeads: budget, tau: heads.tau, method: "lowest/\(estimator.rawValue)")
  case .all: return .all(layers: text.layers, kvHeads: text.kvHeads)
  case .random: return .random(numHeads: budget, seed: heads.seed, layers: text.layers, kvHeads: text.kvHeads)
  case .perLayer:
    guard let count = heads.perLayer else {
      throw TrainingError.unsupported(key: "adapter.heads.per_layer", value: "absent", supported: "heads a layer")
    }
    return .perLayer(count, scores: try scores())
  case .file:
    guard let selection = job.selection else {
      throw TrainingError.unsupported(key: "adapter.heads.file", value: "absent", supported: "a selection file")
    }
    return selection
  }
}

/// The selection in a file, for a model of the stated shape.
func readSelection(_ path: String, _ text: TextConfiguration) throws -> Adapters.HeadSelection {
  guard let json = try? String(contentsOfFile: path, encoding: .utf8) else {
    throw TrainingError.selection(file: path, problem: "cannot be read")
  }
  return try HeadSelection(json: json, file: path, text: text)
}

// The run file's words for what the adapters' module does.
extension Adapters.Estimator {
  init(_ name: RunFile.Estimator) {
    switch name {
    case .rank1: self = .rank1
    case .gate: self = .gate
    }
  }
}

extension ImageLoRAConfiguration.Normalization {
  init(_ name: RunFile.Normalization) {
    switch name {
    case .inverseSqrtSelected: self = .inverseSqrtSelected
    case .none: self = .none
    }
  }
}

extension LearningRateSchedule.Shape {
  init(_ name: RunFile.Schedule) {
    switch name {
    case .cosine: self = .cosine
    case .linear: self = .linear
    case .constant: self = .constant
    }
  }
}
