// Everything a run needs to go on as if it had never stopped.
import Adapters
import Units

/// The state after some optimizer steps; a checkpoint file holds exactly this.
package struct TrainingState: Sendable, Equatable {
  /// What one step left in the run's history.
  package struct StepMetrics: Sendable, Equatable {
    package var step: Int
    package var loss, learningRate, gradientNorm: Double
    package var tokens: Int
  }

  /// What an adapter must be used with to mean what was trained.
  package struct Provenance: Sendable, Equatable {
    package var baseDigest: String
    package var templateDigest: String
    package var minPixels, maxPixels: Int

    package init(of base: BaseModel) {
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

  package var step: Int
  package var epoch: Int
  package var consumedRows: Int
  package var worldSize: Int
  package var seed: UInt64
  package var runDigest: String
  /// The resolved run, in YAML.
  package var runYAML: String
  package var provenance: Provenance
  package var adapter: AdapterConfiguration
  /// All trainable numbers, in the adapter's layout.
  package var parameters: [Float]
  package var optimizer: AdamW
  /// How the heads of an Image-LoRA were chosen.
  package var selection: HeadSelection?
  package var metrics: [StepMetrics]
  /// Lowest validation loss so far and its step.
  package var best: Best?
  /// A signal to stop came before this step's validation; whoever goes on does it first.
  package var validationDue = false

  package struct Best: Sendable, Equatable {
    package var step: Int
    package var loss: Double
  }
}
