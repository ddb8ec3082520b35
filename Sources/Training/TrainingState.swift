// Everything a run needs to go on as if it had never stopped.
import Adapters
import Units

/// The state after some optimizer steps; a checkpoint file holds exactly this.
public struct TrainingState: Sendable, Equatable {
  /// What one step left in the run's history.
  public struct StepMetrics: Sendable, Equatable {
    public var step: Int
    public var loss, learningRate, gradientNorm: Double
    public var tokens: Int
  }

  /// What an adapter must be used with to mean what was trained.
  public struct Provenance: Sendable, Equatable {
    public var baseDigest: String
    public var templateDigest: String
    public var minPixels, maxPixels: Int

    public init(of base: BaseModel) {
      baseDigest = base.digest
      templateDigest = base.template.digest
      minPixels = base.preprocessor.minPixels
      maxPixels = base.preprocessor.maxPixels
    }

    init(baseDigest: String, templateDigest: String, minPixels: Int, maxPixels: Int) {
      (self.baseDigest, self.templateDigest) = (baseDigest, templateDigest)
      (self.minPixels, self.maxPixels) = (minPixels, maxPixels)
    }
  }

  public var step: Int
  public var epoch: Int
  public var consumedRows: Int
  public var worldSize: Int
  public var seed: UInt64
  public var runDigest: String
  /// The resolved run, in YAML.
  public var runYAML: String
  public var provenance: Provenance
  public var adapter: AdapterConfiguration
  /// All trainable numbers, in the adapter's layout.
  public var parameters: [Float]
  public var optimizer: AdamW
  /// How the heads of an Image-LoRA were chosen.
  public var selection: HeadSelection?
  public var metrics: [StepMetrics]
  /// Lowest validation loss so far and its step.
  public var best: Best?
  /// A signal to stop came before this step's validation; whoever goes on does it first.
  public var validationDue = false

  public struct Best: Sendable, Equatable {
    public var step: Int
    public var loss: Double
  }
}
