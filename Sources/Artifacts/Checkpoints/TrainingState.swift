// Everything that a run needs to resume as if it had never stopped.
import Adapters

/// The run that a state belongs to.
package struct RunIdentity: Sendable, Equatable {
  /// Digest of everything that the run's results depend on.
  package var digest: String
  /// The resolved run, in YAML.
  package var yaml: String
  package var seed: UInt64
  /// Ranks that computed the last step.
  package var worldSize: Int
  package var provenance: AdapterProvenance
  /// Digest of the bytes of the training examples' images; nil in checkpoints of versions before 0.3.0.
  package var imagesDigest: String?

  package init(
    digest: String, yaml: String, seed: UInt64, worldSize: Int, provenance: AdapterProvenance,
    imagesDigest: String? = nil
  ) {
    (self.digest, self.yaml, self.seed, self.worldSize) = (digest, yaml, seed, worldSize)
    (self.provenance, self.imagesDigest) = (provenance, imagesDigest)
  }
}

/// The state after some optimizer steps; a checkpoint file holds exactly this.
package struct TrainingState: Sendable, Equatable {
  /// What one step left in the run's history.
  package struct StepMetrics: Sendable, Equatable {
    package var step: Int
    package var loss, learningRate, gradientNorm: Double
    package var tokens: Int

    package init(step: Int, loss: Double, learningRate: Double, gradientNorm: Double, tokens: Int) {
      (self.step, self.loss, self.learningRate) = (step, loss, learningRate)
      (self.gradientNorm, self.tokens) = (gradientNorm, tokens)
    }
  }

  /// What a validation came to.
  package struct Validated: Sendable, Equatable {
    package var step: Int
    package var loss: Double
    /// Of generated answers, where the run asks for it.
    package var score: Score?

    package init(step: Int, loss: Double, score: Score? = nil) {
      (self.step, self.loss, self.score) = (step, loss, score)
    }
  }

  /// A change of the run's keys with which it went on from a checkpoint.
  package struct Extension: Codable, Sendable, Equatable {
    package struct Change: Codable, Sendable, Equatable {
      package let key, old, new: String
      package init(key: String, old: String, new: String) { (self.key, self.old, self.new) = (key, old, new) }
    }

    /// Steps made, and examples taken, under the keys before.
    package let step, consumedExamples: Int
    package let changes: [Change]

    package init(step: Int, consumedExamples: Int, changes: [Change]) {
      (self.step, self.consumedExamples, self.changes) = (step, consumedExamples, changes)
    }

    private enum CodingKeys: String, CodingKey {
      case step, changes
      case consumedExamples = "consumed_rows"
    }

    /// As `training.epochs from 2.0 to 3.0`.
    package var words: String { changes.map { "\($0.key) from \($0.old) to \($0.new)" }.joined(separator: ", ") }
  }

  /// A metric of generated answers, from 0 to 1, more is better.
  package struct Score: Sendable, Equatable {
    /// As `training.best_by` names it.
    package var name: String
    package var value: Double
    package init(name: String, value: Double) { (self.name, self.value) = (name, value) }
  }

  package var run: RunIdentity
  package var adapter: AdapterConfiguration
  /// Where each parameter lies in `parameters` and in the optimizer's moments.
  package var layout: AdapterLayout
  /// All trainable parameters.
  package var parameters: [Float]
  package var optimizer: OptimizerState
  /// How the heads of an Image-LoRA were chosen.
  package var selection: HeadSelection?
  /// Epoch of the examples that the next step takes first, from 0.
  package var epoch = 0
  package var consumedExamples = 0
  package var metrics: [StepMetrics] = []
  /// The validation before the first step.
  package var start: Validated?
  /// The best validation of a step: by its score where it has one, by its loss otherwise and among equal scores.
  package var best: Validated?
  /// A signal to stop came before this step's validation; the resumed run does it first.
  package var validationDue = false
  /// In the order in which they came.
  package var extensions: [Extension] = []

  /// Optimizer steps made.
  package var step: Int { optimizer.step }

  /// The state before the first step.
  package init(startOf run: RunIdentity, adapter: any Adapter<Float>, selection: HeadSelection?) {
    self.run = run
    self.adapter = adapter.configuration
    layout = adapter.layout
    parameters = adapter.parameters.values
    optimizer = OptimizerState(count: adapter.layout.count)
    self.selection = selection
  }
}
