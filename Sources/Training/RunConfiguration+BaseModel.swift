// A run's base model, in the precision that it states or that is fastest on its processors, and its examples.
import Batches
import Collectives
import Datasets
import HuggingFace
import RunFile
import Tensors

extension RunConfiguration {
  /// Opens the base, with features cached where the run asks for it. If the run states no precision, what was chosen is
  /// written into it: bf16 for a checkpoint stored as bf16 if every rank's processor has bf16 instructions, otherwise
  /// fp32. Likewise its learning rate.
  /// - Parameter warn: takes one line where the feature cache can no longer be written, and on rank 0 a line for each
  ///   part of the folder that is not used as it is.
  /// - Throws: `TrainingError.noBFloat16Instructions` for bf16 that would be slower than fp32; what is wrong with the
  ///   model's folder. The same on every rank.
  /// - Important: Collective.
  package func openBase(
    _ communicator: any Communicator, warn: @escaping @Sendable (String) -> Void
  ) throws -> (run: RunConfiguration, base: BaseModel) {
    let obstacles = try communicator.allGather(Array((Precision.obstacleToBFloat16 ?? "").utf8))
    let unable = obstacles.firstIndex { !$0.isEmpty }
    if model.precision == .bfloat16, let rank = unable, model.emulateBF16 != true {
      throw TrainingError.noBFloat16Instructions(rank: rank, reason: String(decoding: obstacles[rank], as: UTF8.self))
    }
    let base = try withErrorAgreement(communicator) {
      try BaseModel(
        folder: model.path.resolved, precision: model.precision ?? (unable == nil ? nil : .float32),
        minPixels: model.minPixels, maxPixels: model.maxPixels,
        templateVariables: model.template ?? TemplateVariables(), reading: data.imageReading,
        features: FeatureStore.Settings(
          memoryBytes: model.featureMemoryMiB << 20, cacheFolder: model.featureCache?.resolved,
          cacheBytes: model.featureCacheGiB.map { Int($0 * 0x1p30) }, threads: model.threads, warn: warn))
    }
    if communicator.rank == 0 { base.notices.forEach(warn) }
    var run = self
    run.model.precision = base.precision
    do { try run.settleRates(base.configuration.text) } catch { throw RankFailure(shared: error) }
    return (run, base)
  }

  /// Reads and checks files of the run's examples.
  /// - Parameter warn: takes one line where what was found out cannot be kept for a later start; nil: that is an error.
  /// - Throws: `RankFailure`.
  /// - Important: Collective.
  package func prepareExamples(
    _ files: ExampleFiles, for purpose: PreparedExamples.Purpose = .learning, base: BaseModel,
    communicator: any Communicator, warn: (@Sendable (String) -> Void)?
  ) throws -> PreparedExamples {
    let folder = try data.prepared.map { folder in
      try withErrorAgreement(communicator) {
        PreparationFolder(
          path: folder.resolved, settings: "\(exampleSettings)\n\(try settingsDigest(ofFolder: model.path.resolved))",
          warn: warn)
      }
    }
    return try PreparedExamples(
      files, for: purpose, isStrict: data.badExamples == .strict, features: base.featureStore, folder: folder,
      communicator: communicator
    ) { try base.sampleBuilder(for: self) }
  }
}
