// The base model of a run, in the arithmetic that it states or that its processors are best at.
import Collectives
import Preprocessing
import RunFile
import Tensors
import Units

extension BaseModel {
  /// A builder of a run's samples.
  public func sampleBuilder(for run: RunConfiguration) throws -> SampleBuilder {
    try sampleBuilder(maxLength: run.data.maxLength, coordinates: run.coordinates)
  }
}

extension RunConfiguration {
  /// What the run says that places are written in; nil: what the base's family writes.
  var coordinates: Preprocessing.Coordinates? {
    data.coordinates.flatMap { Preprocessing.Coordinates(rawValue: $0.rawValue) }
  }

  /// How much forward may keep for backward besides the layers' inputs.
  var activationBytes: Int { training.activationMemoryMiB.map { $0 << 20 } ?? .max }

  /// Rows of different pictures in one pass.
  var rowsPerPass: Int { training.microBatch ?? 1 }

  /// Opens the base, with features kept where the run says, and says in the run what was chosen where it states no
  /// precision: bf16 for a checkpoint stored as bf16 if every rank's processor multiplies bf16 numbers itself,
  /// otherwise fp32.
  /// - Parameter warn: takes one line where the feature cache can no longer be written.
  /// - Throws: `TrainingError.noBFloat16Instructions` for bf16 that would be slower than fp32; what is wrong with the
  ///   model's folder. The same on every rank.
  /// - Important: Collective.
  public func openBase(
    _ communicator: any Communicator, warn: @escaping @Sendable (String) -> Void
  ) throws -> (run: RunConfiguration, base: BaseModel) {
    let able = try communicator.allGather([Arithmetic.hasBFloat16Instructions ? 1 : 0])
    let unable = able.firstIndex { $0 == [0] }
    if model.precision == .bf16, let rank = unable, model.emulateBF16 != true {
      throw TrainingError.noBFloat16Instructions(rank: rank)
    }
    let arithmetic =
      switch model.precision {
      case .fp32: Arithmetic.float32
      case .bf16: Arithmetic.bfloat16
      case nil: unable == nil ? nil : Arithmetic.float32
      }
    let base = try together(communicator) {
      try BaseModel(
        folder: model.path.resolved, arithmetic: arithmetic, minPixels: model.minPixels, maxPixels: model.maxPixels,
        features: FeatureStore.Settings(
          memoryBytes: model.featureMemoryMiB << 20, cacheFolder: model.featureCache?.resolved, threads: model.threads,
          warn: warn))
    }
    var run = self
    run.model.precision = base.arithmetic == .bfloat16 ? .bf16 : .fp32
    return (run, base)
  }
}
