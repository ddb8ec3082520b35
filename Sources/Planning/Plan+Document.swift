// A plan as a JSON document for programs: docs/formats.md lists the fields.
import Costs

extension Plan {
  /// The numbers of a plan; bytes, FLOPs and seconds.
  package struct Document: Encodable, Equatable {
    struct Parameters: Encodable, Equatable { let vision, decoder, embedding, head, total: Int }
    struct Weights: Encodable, Equatable {
      let bytes: Double
      let source: String
    }
    struct Adapter: Encodable, Equatable {
      let kind: String
      let rank: Int
      /// At worst, and at best where a probe will choose the heads.
      let trainableParameters: Int
      let fewestTrainableParameters: Int?
      let selectedHeads, heads: Int?
      let flopsPerExample: Double
    }
    struct StandardLoRAComparison: Encodable, Equatable {
      let trainableParameters: Int
      let flopsPerExample: Double
    }
    struct Examples: Encodable, Equatable {
      let source: String
      let count: Int?
      let measured, longestTokens: Int
      let meanTokens, meanVisualTokens, meanSupervisedTokens: Double
      /// How often an image passes in an epoch, where steps cut image groups, and batches that keep them whole.
      let imagePasses: Double?
      let wholeGlobalBatches: [Int]?
    }
    struct FLOPs: Encodable, Equatable {
      let decoding, forward, backward, head, adapter, vision, recomputed: Double
      /// Of the forward pass below the layers that the run restricts its adapter to.
      let frozen: Double?
    }
    struct Probe: Encodable, Equatable {
      let examples: Int
      let flops: Double
    }
    struct Memory: Encodable, Equatable {
      let rank, activations, work, features, adapter, program, node, available: Double
      /// Where the node is too small: ranks on it that fit, and the largest `training.activation_memory_mib` that does.
      let fittingRanksPerNode, fittingActivationMemoryMib: Int?
      let largestBatchTokens, largestBatchExamples: Int
    }
    struct AllReduce: Encodable, Equatable { let bytes, gradientBytes, counterBytes: Int }
    struct RankCounts: Encodable, Equatable { let nodes, perNode, count, threads: Int }
    struct Times: Encodable, Equatable {
      let gflops, stepSeconds, firstStepSeconds: Double
      let probeSeconds: Double
      let epochSeconds, runSeconds: Double?
    }

    let model: String
    let parameters: Parameters
    let weights: Weights
    let adapter: Adapter
    let standardLora: StandardLoRAComparison
    let examples: Examples
    let flopsPerExample: FLOPs
    let probe: Probe?
    let memory: Memory
    let allReduce: AllReduce
    let ranks: RankCounts
    let globalBatch: Int
    let steps: Int?
    /// Part of the ranks' time spent waiting for the busiest, 0 to 1.
    let idle: Double
    let time: Times?
    let reach: [Reach]?
  }

  package var document: Document {
    let text = configuration.text
    var selected: Int?
    if case .imageLoRA(let budgets, _) = adapter.worst { selected = budgets.selected }
    let flops = work.example
    return Document(
      model: run.model.path.resolved,
      parameters: .init(
        vision: counts.vision, decoder: counts.decoder, embedding: counts.embedding, head: counts.head,
        total: counts.total),
      weights: .init(bytes: weights.bytes, source: weights.source),
      adapter: .init(
        kind: run.adapter.kind.rawValue, rank: run.adapter.rank,
        trainableParameters: adapter.worst.parameters(text),
        fewestTrainableParameters: adapter.best?.parameters(text), selectedHeads: selected,
        heads: selected.map { _ in run.adapter.capacity(text).reduce(0, +) }, flopsPerExample: work.adapterFLOPs),
      standardLora: .init(
        trainableParameters: StandardLoRA.parameters(rank: run.adapter.rank, text),
        flopsPerExample: work.standardFLOPs),
      examples: .init(
        source: examples.source, count: examples.count, measured: examples.shapes.count,
        longestTokens: examples.shapes.map(\.tokens).max() ?? 0, meanTokens: examples.mean(\.tokens),
        meanVisualTokens: examples.mean(\.visual), meanSupervisedTokens: examples.mean(\.answers),
        imagePasses: cutGroups?.passes, wholeGlobalBatches: cutGroups?.globalBatches),
      flopsPerExample: .init(
        decoding: flops.decoding, forward: flops.forward, backward: flops.backward, head: flops.head,
        adapter: flops.adapter, vision: flops.vision, recomputed: work.recomputed, frozen: frozen?.flops),
      probe: probe.map { .init(examples: $0.examples, flops: $0.flops) },
      memory: .init(
        rank: memory.total, activations: memory.activations, work: memory.work, features: memory.features,
        adapter: memory.adapter, program: memory.program, node: nodeBytes, available: nodeMemory,
        fittingRanksPerNode: fitting?.ranksPerNode, fittingActivationMemoryMib: fitting?.activationMemoryMiB,
        largestBatchTokens: largestBatch.tokens,
        largestBatchExamples: largestBatch.examples),
      allReduce: .init(
        bytes: payload.bytes, gradientBytes: payload.gradientBytes, counterBytes: payload.counterBytes),
      ranks: .init(
        nodes: ranks.nodes, perNode: ranks.perNode, count: ranks.count, threads: run.model.threads),
      globalBatch: run.training.globalBatch, steps: steps, idle: work.idle, time: times,
      reach: network.flatMap(reach))
  }

  private var times: Document.Times? {
    PlannedTimes(self).map {
      Document.Times(
        gflops: gflops ?? 0, stepSeconds: $0.step, firstStepSeconds: $0.firstStep, probeSeconds: $0.probe,
        epochSeconds: $0.epoch,
        runSeconds: $0.run)
    }
  }
}
