// What a run file names, opened and checked before anything is computed: the base model and the usable examples.
import Artifacts
import Batches
import Collectives
import Costs
import Datasets
import Digests
import Files
import QwenVL
import RunFile

/// A run's model and data on this rank; every rank holds the same.
package struct Job: Sendable {
  package let run: RunConfiguration
  package let communicator: any Communicator
  package let base: BaseModel
  package let training: PreparedExamples
  package let validation: PreparedExamples?
  /// Group keys for the sampler, nil where the run does not group examples by image.
  package let groups: [Int]?
  /// The heads of a selection file, nil where the run names none.
  let selection: HeadSelection?
  /// What training starts from, nil for a new adapter.
  let start: AdapterStart?
  /// Digest of everything that decides the run's numbers: its keys, base, examples, selected heads and start.
  package let digest: String
  /// What the digest covers beside the keys.
  let contents: [String]
  /// Memory of a rank for saved activations in addition to the layers' inputs, in bytes: as the run states it, or by
  /// the nodes' memory. No result depends on it.
  let activationBytes: Int

  /// Opens what the run names. An error of any rank is thrown on all.
  /// - Parameter warn: takes lines about what goes wrong and does not end the run.
  /// - Important: Collective.
  package init(
    _ run: RunConfiguration, communicator: any Communicator, warn: @escaping @Sendable (String) -> Void
  ) throws {
    var (run, base) = try run.openBase(communicator, warn: warn)
    self.communicator = communicator
    self.base = base
    do { try run.adapter.requireHeads(base.configuration.text) } catch { throw RankFailure(shared: error) }
    training = try run.prepareExamples(run.trainingFiles, base: base, communicator: communicator, warn: warn)
    groups = run.data.groupByImage ? training.keys : nil
    let examplesPerPass = ExamplesPerPass.automatic(
      training.shapes, groups: groups, globalBatch: run.training.globalBatch,
      activations: ActivationBudget(bytes: run.activationBytes, precision: base.precision), base.configuration.text)
    run.training.microBatch.settle(examplesPerPass)
    self.run = run
    activationBytes =
      run.training.activationMemoryMiB == nil
      ? try NodeMemory.activationBytes(weights: base.weightBytes, communicator) : run.activationBytes
    guard training.count >= communicator.size else {
      throw TrainingError.tooFewExamples(
        file: training.file, examples: training.count, ranks: communicator.size)
    }
    guard run.adapter.kind == .lora || training.visualTokens.contains(where: { $0 > 0 }) else {
      throw RankFailure(
        shared: FileError(
          training.file,
          "none of its examples has an image: an Image-LoRA acts on visual tokens alone and learns nothing",
          remedy: "set adapter.kind: lora, or give examples with images"))
    }
    validation = try run.validationFiles.map {
      try run.prepareExamples($0, base: base, communicator: communicator, warn: warn)
    }
    start = try run.adapter.start.map { folder in
      try withErrorAgreement(communicator) { try AdapterStart(folder.resolved, base: base) }
    }
    selection = try run.adapter.heads.file.map { file in
      try withErrorAgreement(communicator) {
        try HeadSelection(
          reading: file.resolved, of: base.configuration.text, run.adapter.valueHeads ?? .attention)
      }
    }
    let chosen = selection.map { [SHA256.hex("\($0.kvIndices)")] } ?? []
    contents = [base.digest, base.template.digest, training.digest] + chosen + (start.map { [$0.digest] } ?? [])
    digest = run.digest(including: contents)
    try requireSame(
      "\(digest) \(training.imagesDigest)", what: "run, model or data (\(run.path))", communicator)
  }

  /// What a checkpoint records about this run.
  var identity: RunIdentity {
    RunIdentity(
      digest: digest, yaml: run.yaml, seed: run.training.seed, worldSize: communicator.size,
      provenance: AdapterProvenance(of: base, coordinates: training.samples.coordinates),
      imagesDigest: training.imagesDigest)
  }

  /// What all ranks read from the feature cache and what they computed; nil without a cache.
  /// - Important: Collective.
  func featureTally() throws -> RunSummary.VisionFeatures? {
    guard let cache = base.featureStore.cacheState else { return nil }
    var tally = ExactSum(count: 2)
    tally.add(count: base.featureStore.tally.read, at: 0)
    tally.add(count: base.featureStore.tally.computed, at: 1)
    try tally.reduce(over: communicator)
    return RunSummary.VisionFeatures(
      read: tally.count(at: 0), computed: tally.count(at: 1), images: cache.counts?.images,
      cachedAtStart: cache.counts?.cached)
  }

  /// What a GEMM of the decoder's shape comes to on this rank's threads, in 10^9 FLOPs a second, from a short
  /// measurement. Ranks that measure at the same time share what they share in training.
  func gemmRate() -> Double {
    let text = base.configuration.text
    return GEMMRate.measure(
      tokens: 512, outputs: text.intermediateSize, columns: text.hiddenSize, type: base.elementType,
      precision: base.precision, duration: 0.05)
  }

  /// Layers below the lowest adapted one, whose hidden states are cached; 0 unless the run restricts its adapter.
  func frozenLayers(below adapter: any ProjectionAdapter<Float>) -> Int {
    run.adapter.isOfUpperLayers ? adapter.lowestLayer ?? 0 : 0
  }

  /// The sampler of the training examples, for a run of a state: after an extension it goes on where the examples
  /// before it ended, with the batches of now.
  package func sampler(of state: TrainingState? = nil) -> Sampler {
    Sampler(
      examples: training.count, groups: groups, parts: training.parts,
      globalBatch: run.training.globalBatch, seed: run.training.seed,
      origin: state?.extensions.last.map { ($0.step, $0.consumedExamples) } ?? (0, 0))
  }

  /// Optimizer steps of the whole run.
  func totalSteps(_ sampler: Sampler) -> Int {
    run.training.steps ?? sampler.steps(epochs: run.training.epochs ?? 1)
  }
}
