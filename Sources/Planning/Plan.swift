// What a run will need, before it: parameters, memory, FLOPs, all-reduce payload, time; no weights are read.
import Batches
import Costs
import Datasets
import Files
import Foundation
import HuggingFace
import RunFile
import Tensors

/// A run on a number of ranks, in numbers, in lines for people and as a document for programs.
package struct Plan {
  /// How many processes, and where.
  package struct Ranks: Sendable, Equatable {
    package var nodes, perNode: Int
    package var count: Int { nodes * perNode }
    package init(nodes: Int, perNode: Int) { (self.nodes, self.perNode) = (nodes, perNode) }
  }

  /// An example to plan for where the run's data are not to be read, or not there.
  package struct AssumedExample: Sendable, Equatable {
    package var tokens, visualTokens, answerTokens: Int
    package init(tokens: Int, visualTokens: Int, answerTokens: Int) {
      (self.tokens, self.visualTokens, self.answerTokens) = (tokens, visualTokens, answerTokens)
    }
    /// An image of 600,000 pixels, a question and a short answer.
    package static let usual = AssumedExample(tokens: 1024, visualTokens: 768, answerTokens: 32)
  }

  let run: RunConfiguration
  let configuration: ModelConfiguration
  let ranks: Ranks
  let counts: ParameterCounts
  let weights: PlannedWeights
  /// The compute precision.
  let precision: Precision
  /// The adapter: where its heads are not known yet the worst and the best.
  let adapter: (worst: PlannedAdapter, best: PlannedAdapter?)
  let examples: PlannedExamples
  let steps: Int?
  let work: StepWork
  /// Nil: the run does not restrict its adapter to upper layers.
  let frozen: Frozen?
  /// Passes of the decoder in the first step.
  let passes: Int
  /// Nil: no probe selects heads.
  let probe: PlannedProbe?
  /// A rank's at its largest batch.
  let memory: RankMemory
  let largestBatch: BatchShape
  /// FLOPs a second of one rank, in 10^9; nil: times are unknown.
  package var gflops: Double?
  /// The network between nodes; nil: nothing is said about other numbers of ranks.
  package var network: Network?
  /// Trainable parameters to reduce over other numbers of ranks; nil: the adapter's.
  package var trainable: Int?
  /// Bytes of memory that a node has.
  package var nodeMemory: Double
  /// What a rank saves of forward: as the run states it, or by the node's memory.
  let activations: ActivationBudget
  /// Nil where steps keep image groups whole.
  let cutGroups: CutGroups?

  /// - Parameters:
  ///   - assumed: an example to plan for instead of the run's data.
  ///   - nodeMemory: of a node in bytes; this machine's unless stated.
  /// - Throws: `HuggingFaceError`, or the error with which `train` would also refuse the run.
  package init(
    _ run: RunConfiguration, ranks: Ranks, assumed: AssumedExample? = nil,
    nodeMemory: Double? = nil
  ) throws {
    guard run.training.globalBatch >= ranks.count else {
      throw FileError(
        run.path,
        "training.global_batch: \(run.training.globalBatch) examples a step are fewer than \(ranks.count) ranks",
        remedy: "start at most \(run.training.globalBatch)")
    }
    self.ranks = ranks
    let folder = run.model.path.resolved
    weights = try PlannedWeights(folder: folder, ModelConfiguration(folder: folder))
    let configuration = weights.configuration
    self.configuration = configuration
    counts = ParameterCounts(configuration)
    precision = run.model.precision ?? .automatic(stored: weights.type)
    let adapter = try Self.adapter(run, configuration)
    self.adapter = adapter
    let examples = Self.examples(run, assumed: assumed, configuration)
    self.examples = examples
    var run = run
    let nodeMemory = nodeMemory ?? Double(ProcessInfo.processInfo.physicalMemory)
    self.nodeMemory = nodeMemory
    let stated = ActivationBudget(bytes: run.activationBytes, precision: precision)
    let automatic = ActivationBudget.automatic(memory: nodeMemory, weights: weights.bytes, ranks: ranks.perNode)
    let activations =
      run.training.activationMemoryMiB == nil ? ActivationBudget(bytes: automatic, precision: precision) : stated
    self.activations = activations
    let examplesPerPass = ExamplesPerPass.automatic(
      examples.shapes, groups: examples.groups, globalBatch: run.training.globalBatch, activations: stated,
      configuration.text)
    run.training.microBatch.settle(examplesPerPass)
    self.run = run
    steps = examples.steps(run.training)
    let sampledSteps = examples.sampledSteps(of: run)
    let sampled = sampledSteps.map { examples.batches(of: $0, run) }
    passes = sampled.first?.count ?? 0
    cutGroups = examples.cutGroups(
      by: sampledSteps, globalBatch: run.training.globalBatch, ranks: ranks.count)
    let frozen = Self.frozen(run, adapter.worst, examples, configuration.text)
    self.frozen = frozen
    work = StepWork(
      sampled, ranks: ranks.count, adapter: adapter.worst, rank: run.adapter.rank, frozenLayers: frozen?.layers ?? 0,
      activations: activations, configuration)
    probe = PlannedProbe(run, examples, configuration)
    let (imageTokens, hiddenStates) = (examples.imageTokens, frozen?.allBytes ?? 0)
    let needs = sampled.joined().lazy.map { batch in
      let memory = RankMemory(
        batch, adapter: adapter.worst, imageTokens: imageTokens, hiddenStates: hiddenStates,
        featureMiB: run.model.featureMemoryMiB, activations: activations, configuration)
      return (batch: batch, memory: memory)
    }
    guard let largest = needs.max(by: { $0.memory.total < $1.memory.total }) else {
      throw DatasetError.empty(file: run.trainingFiles.title, problems: [])
    }
    (largestBatch, memory) = largest
  }

  private static func adapter(
    _ run: RunConfiguration, _ configuration: ModelConfiguration
  ) throws -> (worst: PlannedAdapter, best: PlannedAdapter?) {
    let (rank, text) = (run.adapter.rank, configuration.text)
    switch run.adapter.kind {
    case .lora:
      return (.lora(try run.adapter.lora(text, configuration.vision), configuration.vision), nil)
    case .imageLoRA:
      let budgets = try LayerBudgets.planned(run.adapter, text)
      return (.imageLoRA(budgets.worst, rank: rank), budgets.best.map { .imageLoRA($0, rank: rank) })
    }
  }

  /// The run's own examples; where they cannot be read, the usual one, and why.
  private static func examples(
    _ run: RunConfiguration, assumed: AssumedExample?, _ configuration: ModelConfiguration
  ) -> PlannedExamples {
    func all(_ example: AssumedExample, _ why: String) -> PlannedExamples {
      let shape = ExampleShape(
        tokens: example.tokens, visual: example.visualTokens, answers: example.answerTokens,
        merge: configuration.vision.spatialMergeSize)
      return PlannedExamples(assuming: shape, source: why)
    }
    if let assumed { return all(assumed, "as stated, not read from data") }
    do {
      return try PlannedExamples(reading: run)
    } catch {
      return all(.usual, "assumed, since the data cannot be read: \(error)")
    }
  }

  /// Weights a node holds once, and all its ranks.
  var nodeBytes: Double { weights.bytes + Double(ranks.perNode) * memory.total }

  /// The layers below the lowest adapted one, whose hidden states are cached.
  struct Frozen: Equatable {
    let layers: Int
    /// Of an example's forward in them, and of the hidden states that leave them: an example's, and those of all.
    let flops, bytes, allBytes: Double
  }

  /// Nil unless the run restricts its adapter to upper layers.
  private static func frozen(
    _ run: RunConfiguration, _ adapter: PlannedAdapter, _ examples: PlannedExamples, _ text: TextConfiguration
  ) -> Frozen? {
    let layers = adapter.lowest(text)
    guard run.adapter.isOfUpperLayers, layers > 0, layers < text.layers else { return nil }
    let flops = examples.shapes.reduce(0) { $0 + BatchFLOPs.forward(below: layers, BatchShape([$1]), text) }
    let bytes = examples.mean(\.tokens) * Double(text.hiddenSize * MemoryLayout<Float>.stride)
    return Frozen(
      layers: layers, flops: flops / Double(examples.shapes.count), bytes: bytes,
      allBytes: bytes * Double(examples.count ?? 1))
  }

  /// What would fit into a node that is too small for the plan: fewer ranks, or less memory for saved activations.
  struct Fitting: Equatable {
    /// Ranks on a node; 0: not one.
    let ranksPerNode: Int
    /// The largest `training.activation_memory_mib` with which all planned ranks fit; nil: there is none.
    let activationMemoryMiB: Int?
  }

  /// Nil where the plan fits.
  var fitting: Fitting? {
    guard nodeBytes > nodeMemory else { return nil }
    let room = nodeMemory - weights.bytes
    func total(_ mebibytes: Int) -> Double {
      RankMemory(
        largestBatch, adapter: adapter.worst, imageTokens: examples.imageTokens,
        hiddenStates: frozen?.allBytes ?? 0, featureMiB: run.model.featureMemoryMiB,
        activations: ActivationBudget(bytes: mebibytes << 20, precision: precision), configuration
      ).total
    }
    // The most that fits, by halves.
    var (low, high) = (0, 1 << 20)
    let fits = total(0) * Double(ranks.perNode) <= room
    while fits, high - low > 1 {
      let middle = (low + high) / 2
      if total(middle) * Double(ranks.perNode) <= room { low = middle } else { high = middle }
    }
    return Fitting(
      ranksPerNode: max(0, Int(room / memory.total)), activationMemoryMiB: fits ? low : nil)
  }

  /// Measures GEMMs of this model's shape on this machine, on the run's threads, in 10^9 FLOPs a second.
  package func measuredRate() -> Double {
    setGEMMThreads(run.model.threads)
    let text = configuration.text
    return GEMMRate.measure(
      tokens: min(largestBatch.tokens, 2048), outputs: text.intermediateSize, columns: text.hiddenSize,
      type: weights.type, precision: precision)
  }
}

/// The times of a plan at a rate, in seconds.
struct PlannedTimes {
  /// Of a step whose images' features, and hidden states below the adapted layers, are cached, and of one that sees its
  /// images for the first time.
  let step, firstStep: Double
  /// Steps and seconds of an epoch, and seconds of the run; nil where the data could not be counted.
  let stepsPerEpoch, epoch, run: Double?
  /// Of the probe before the first step, 0 without one.
  let probe: Double

  init?(_ plan: Plan) {
    guard let gflops = plan.gflops else { return nil }
    let step = plan.work.busiest / gflops / 1e9
    self.step = step
    firstStep = (plan.work.busiest + plan.work.busiestOnce) / gflops / 1e9
    stepsPerEpoch = plan.examples.examplesPerEpoch.map { Double($0) / Double(plan.run.training.globalBatch) }
    epoch = stepsPerEpoch.map { $0 * step }
    probe = (plan.probe?.flops ?? 0) / Double(plan.ranks.count) / gflops / 1e9
    run = plan.steps.map { [probe] in Double($0) * step + probe }
  }
}
