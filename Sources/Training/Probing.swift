// The probe: every head's influence on some examples of the run, by any number of ranks or independent shards.
import Adapters
import Artifacts
import Batches
import Collectives
import Datasets
import RunFile
import Tensors

extension Job {
  /// Influence of all heads, or of those from `adapter.heads.from_layer` on, on the examples of a shard, the same bits
  /// for any number of ranks.
  /// - Parameter shard: which parts of the probe's examples, those that pass together one after the other.
  /// - Returns: nil if a signal to stop came to any rank meanwhile; all ranks leave together.
  /// - Throws: the same error on all ranks, also where the base changed meanwhile.
  /// - Important: Collective.
  package func influence(shard: Shard, log: RunLog, signals: SignalRequests) throws -> InfluenceScores? {
    guard run.adapter.kind == .imageLoRA else {
      throw TrainingError.unsupported(
        key: "adapter.kind", value: "\(run.adapter.kind.rawValue) with a probe", supported: "image_lora")
    }
    let text = base.configuration.text
    let (tokens, heads) = (training.tokens, run.adapter.heads)
    let all = microBatches(
      of: probedGroups(keys: training.keys, tokens: tokens, drawing: heads.probeRows, seed: heads.seed),
      examples: run.examplesPerPass
    ) { training.shapes[$0].visual == 0 }.map { (groups: $0, examples: $0.flatMap(\.examples)) }
    // Shards have whole batches, or examples where they are more than the batches; a batch is computed whole in each
    // shard that has a part of it, so that no shard shows in an example's numbers.
    let units = shard.count <= all.count ? all.map(\.examples) : all.flatMap { $0.examples.map { [$0] } }
    let parts = min(shard.count, units.count)
    let own = Set(
      shard.indices.filter { $0 < parts }
        .flatMap { units[$0 * units.count / parts..<($0 + 1) * units.count / parts].joined() })
    let batches = all.filter { $0.examples.contains(where: own.contains) }
    guard !batches.isEmpty else {
      throw RankFailure(shared: DatasetError.empty(file: "\(training.file), shard \(shard)", problems: []))
    }
    let probe = InfluenceProbe<Float>(
      text: text, projections: InfluenceProbe.seededProjections(text: text, seed: heads.seed),
      heads: run.adapter.valueHeads ?? .attention, fromLayer: run.adapter.fromLayer)
    // Most of the work is backward, each example's own.
    let costs = batches.map { Double($0.examples.reduce(0) { $0 + tokens[$1] }) }
    communicator.watchdog.enter("the probe")
    var counter = log.counter("probe", of: batches.reduce(0) { $0 + $1.examples.count })
    let found = try mapOverRanks(
      costs: costs, communicator, stopping: { signals.stopRequested },
      progress: { done in counter.note(done.reduce(0) { $0 + batches[$1].examples.count }) },
      naming: { "probing \(training.names(batches[$0].examples))" }
    ) { index in
      let (groups, examples) = batches[index]
      let input = try base.packedBatch(
        groups, of: training, adapter: nil, frozenLayers: frozenLayers(below: probe))
      let all = try influence(of: input, ids: try training.examples(examples).map(\.id), probe: probe)
      return zip(examples, all).filter { own.contains($0.0) }.map(\.1)
    }
    guard !found.contains(where: { $0 == nil }) else { return nil }
    try withErrorAgreement(communicator) { try base.requireUnchanged() }
    return InfluenceScores(
      layers: text.layers, kvHeads: probe.gateGradient.columns, capacity: probe.capacity,
      linearLayers: text.linearLayers(in: probe.capacity), fromLayer: run.adapter.fromLayer, seed: heads.seed,
      baseDigest: base.digest,
      dataDigest: training.digest, shard: shard, examples: found.compactMap(\.self).flatMap(\.self))
  }

  /// The influence of each example of a batch.
  private func influence(
    of input: PackedBatch, ids: [String], probe: InfluenceProbe<Float>
  ) throws -> [ExampleInfluence] {
    let gradients = base.influence(of: input, probe: probe, activationBytes: activationBytes)
    return try zip(ids, gradients).map { id, gradients in
      let influence = ExampleInfluence(
        id: id,
        rank1Norm2: probe.rank1Norm2(gradients.rank1), gateGradient: gradients.gate.map(Double.init),
        weightGradientNorm2: gradients.weightGradientNorm2)
      guard (influence.rank1Norm2 + influence.gateGradient + gradients.weightGradientNorm2).allSatisfy(\.isFinite)
      else { throw TrainingError.notFinite(step: 0, what: "the influence of example \(id)") }
      return influence
    }
  }
}
