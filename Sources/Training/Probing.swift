// The probe: every head's influence on some examples of the run, by any number of ranks or independent shards.
import Adapters
import Artifacts
import Batches
import Collectives
import Datasets
import RunFile
import Tensors

extension Job {
  /// The examples that a probe measures: all, or `probe_rows` of them drawn by the heads' seed; in file order.
  var probedExamples: [Int] {
    let all = training.count
    let wanted = run.adapter.heads.probeRows
    guard wanted < all else { return Array(0..<all) }
    return Sampler(examples: all, globalBatch: wanted, seed: run.adapter.heads.seed).examples(step: 0).sorted()
  }

  /// Influence of all heads on the examples of a shard, the same bits for any number of ranks.
  /// - Parameter shard: which part of the probe's examples: every `count`-th from each of `indices` on.
  /// - Returns: nil if a signal to stop came to any rank meanwhile; all ranks leave together.
  /// - Throws: the same error on all ranks, also where the base changed meanwhile.
  /// - Important: Collective.
  package func influence(shard: Shard, log: RunLog, signals: SignalRequests) throws -> InfluenceScores? {
    guard run.adapter.kind == .imageLoRA else {
      throw TrainingError.unsupported(
        key: "adapter.kind", value: "\(run.adapter.kind.rawValue) with a probe", supported: "image_lora")
    }
    let text = base.configuration.text
    let seed = run.adapter.heads.seed
    let examples = probedExamples.enumerated().filter { shard.indices.contains($0.offset % shard.count) }.map(\.element)
    guard !examples.isEmpty else {
      throw RankFailure(shared: DatasetError.empty(file: "\(training.file), shard \(shard)", problems: []))
    }
    let probe = InfluenceProbe<Float>(
      text: text, projections: InfluenceProbe.seededProjections(text: text, seed: seed),
      heads: run.adapter.valueHeads ?? .attention)
    let costs = examples.map { Double(training.shapes[$0].tokens) }
    communicator.watchdog.enter("the probe")
    var counter = log.counter("probe", of: costs.count)
    let found = try mapOverRanks(
      costs: costs, communicator, stopping: { signals.stopRequested }, progress: { counter.note($0) },
      naming: { "probing \(training.names([examples[$0]]))" }
    ) { index -> ExampleInfluence in
      let example = examples[index]
      let input = try base.packedBatch([ImageGroup(examples: [example])], of: training, adapter: nil)
      return try influence(of: input, id: try training.example(example).id, probe: probe)
    }
    guard !found.contains(where: { $0 == nil }) else { return nil }
    try withErrorAgreement(communicator) { try base.requireUnchanged() }
    return InfluenceScores(
      layers: text.layers, kvHeads: probe.gateGradient.columns, capacity: probe.capacity,
      linearLayers: text.linearLayers(in: probe.capacity), seed: seed, baseDigest: base.digest,
      dataDigest: training.digest, shard: shard, examples: found.compactMap(\.self))
  }

  /// One example's influence from one backward pass of its mean NLL.
  private func influence(of input: PackedBatch, id: String, probe: InfluenceProbe<Float>) throws -> ExampleInfluence {
    let gradients = base.influence(of: input, probe: probe, activationBytes: activationBytes)
    let influence = ExampleInfluence(
      id: id,
      rank1Norm2: probe.rank1Norm2(gradients.rank1), gateGradient: gradients.gate.map(Double.init),
      weightGradientNorm2: gradients.weightGradientNorm2)
    guard (influence.rank1Norm2 + influence.gateGradient + gradients.weightGradientNorm2).allSatisfy(\.isFinite) else {
      throw TrainingError.notFinite(step: 0, what: "the influence of example \(id)")
    }
    return influence
  }
}
