// A run as the run file states it: every key, its type and its default.
import Adapters
import Collectives
import Datasets
import HuggingFace
import Preprocessing
import QwenVL
import Tensors

/// A run: the base model, the examples, the adapter and how it is trained.
package struct RunConfiguration: Sendable, Equatable {
  package var model = Model()
  package var data = Data()
  package var adapter = Adapter()
  package var training = Training()
  package var checkpoint = Checkpoint()
  package var logging = Logging()
  /// The run file, as given.
  package let path: String

  /// A run of defaults, before its file is read.
  init(defaultsOf path: String) { self.path = path }
}

/// A path of a run file.
package struct RunPath: Sendable, Equatable {
  /// As it stands in the file; empty where the key is absent.
  package var written = ""
  /// Absolute; a relative one starts from the run file's folder.
  package var resolved = ""
}

/// Where a run has the same bits again.
package enum Reproducible: String, Sendable, CaseIterable {
  /// On all processors that the program runs on, by kernels that all of them have.
  case acrossProcessors = "across_processors"
}

/// What happens at a bad example.
package enum BadExamples: String, Sendable, CaseIterable { case strict, skip }

/// What makes a validation the best one.
package enum BestBy: String, Sendable, CaseIterable {
  case loss
  case exactMatch = "exact_match"
  case pointInBox = "point_in_box"
  /// The mean of the examples' scorers.
  case score
  /// Mean intersection over union.
  case iou
}

/// The learning rate over the steps after warm-up.
package enum Schedule: String, Sendable, CaseIterable { case cosine, linear, constant }

extension RunConfiguration {
  package struct Model: Sendable, Equatable {
    /// The folder of the base model; required.
    package var path = RunPath()
    /// Absent: bf16 where checkpoint and processors have it, otherwise fp32.
    package var precision: Precision?
    /// Allows bf16 on processors without bf16 instructions: the same rounding, slower than fp32.
    package var emulateBF16: Bool?
    /// Absent: the numeric libraries choose the kernels of the processor at hand.
    package var reproducible: Reproducible?
    /// Fewest and most pixels of an image after resizing; absent: the model folder's own limits.
    package var minPixels: Int?
    package var maxPixels: Int?
    /// Variables that the chat template reads, as `enable_thinking`; absent: none.
    package var template: TemplateVariables?
    /// Threads per rank. They count in the run's digest, since sums may differ with their number.
    package var threads = 1
    /// Memory per rank for cached vision features, in MiB; 0 caches none.
    package var featureMemoryMiB = 256
    /// Folder of vision features cached on disk for all ranks and later runs; absent: none.
    package var featureCache: RunPath?
    /// What that folder may hold, in GiB; absent: any number.
    package var featureCacheGiB: Double?
  }

  package struct Data: Sendable, Equatable {
    /// Files of training examples, JSON Lines or JSON arrays; required.
    package var train = DataFiles()
    /// Files of validation examples; absent: no validation, unless it is split from the training examples.
    package var validation: DataFiles?
    /// Share of the training examples that is set aside for validation; absent: none.
    package var validationFraction: Double?
    /// Decides which; absent: `training.seed`.
    package var validationSeed: UInt64?
    /// A system message for conversations that have none.
    package var system: String?
    /// Where relative image paths start; the default, ".", is the run file's folder.
    package var imageRoot = RunPath()
    /// Whether images may lie outside of that folder.
    package var allowOutside = false
    /// Longest example, in tokens.
    package var maxLength = 4096
    /// Examples of the same images are computed together.
    package var groupByImage = true
    /// Of `<bbox>`, `<point>` and answers; absent: the base model's.
    package var coordinates: Coordinates?
    package var badExamples = BadExamples.strict
    package var ids = ExampleIDs.own
    /// Keys of rows that only annotate.
    package var ignoredKeys = RowKeyNames()
    package var damagedImages = ImageReading.Damaged.warn
    package var transparency = ImageReading.Transparency.white
    package var exifOrientation = ImageReading.ExifOrientation.ignore
    /// Folder where what is found out about examples is kept for later starts; absent: nowhere.
    package var prepared: RunPath?
    /// How generated answers of rows are scored that state no scorer.
    package var scorer = Scorer.exactMatch
  }

  package struct Adapter: Sendable, Equatable {
    package var kind = AdapterKind.imageLoRA
    package var rank = 8
    package var alpha = 16.0
    package var normalization = Normalization.inverseSqrtSelected
    /// Where an Image-LoRA's gammas start.
    package var gamma = ImageLoRAConfiguration.gammaStart
    /// Which heads an Image-LoRA may act on; absent: KV heads of full attention.
    package var valueHeads: ValueHeads?
    package var heads = Heads()
    /// What a LoRA adapts: all linear modules of the decoder's layers unless stated; nil with an Image-LoRA.
    package var targets: LoRATargets?
    /// Layers of the decoder whose modules a LoRA adapts; absent: all.
    package var layers: LayerNumbers?
    /// Ranks and alphas of some of the modules that a LoRA adapts.
    package var rankPattern: PEFTPatterns<Int>?
    package var alphaPattern: PEFTPatterns<Double>?
    /// Whether a LoRA's factor is alpha / sqrt(rank) (rank-stabilized, arXiv 2312.03732) in place of alpha / rank.
    package var rslora = false
    /// Share of a LoRA's input numbers that training leaves out.
    package var dropout = 0.0
    /// Folder of an adapter of the same shape, or a checkpoint, whose parameters training starts from; absent: a new
    /// adapter.
    package var start: RunPath?
  }

  package struct Heads: Sendable, Equatable {
    package var select = SelectionMethod.influence
    /// KV heads over all layers; absent: a quarter of all, at least one.
    package var numHeads: Int?
    /// The lowest layer whose heads are selected; absent: 0.
    package var fromLayer: Int?
    /// Temperature of the budgets over layers.
    package var tau = 0.5
    package var estimator = Estimator.fisher
    /// Examples that influence is measured on, drawn by the seed; at most all training examples.
    package var probeRows = 200
    /// KV heads in every layer, with `select: per_layer`.
    package var perLayer: Int?
    /// Seed of the probe and of `select: random`.
    package var seed: UInt64 = 0
    /// The selection to read, with `select: file`.
    package var file: RunPath?
  }

  package struct Training: Sendable, Equatable {
    /// Passes over the training examples. Exactly one of `epochs` and `steps` is given.
    package var epochs: Double?
    /// Optimizer steps.
    package var steps: Int?
    /// Examples of an optimizer step, over all ranks.
    package var globalBatch = 16
    /// Examples that a rank computes in one pass; those of an image are together, also where they are more. More are
    /// faster and take more memory. The last bits of the result depend on it.
    package var microBatch = MicroBatch.auto
    /// The peak of the schedule; absent: by the model's width, see `RunConfiguration.learningRate`.
    package var learningRate: Double?
    /// Factors on it for each kind of tensor; absent: the adapter's own, see `RunConfiguration.rateFactors`.
    package var rateFactors: RateFactors?
    package var schedule = Schedule.cosine
    /// Where cosine and linear schedules end; absent: 0.
    package var minLearningRate: Double?
    /// Steps of linear warm-up; absent: `warmupFraction` of all steps.
    package var warmupSteps: Int?
    package var weightDecay = 0.0
    /// Gradients of a larger global norm are scaled down to it; `.inf` turns clipping off.
    package var maxGradientNorm = 1.0
    package var seed: UInt64 = 0
    package var beta1 = 0.9
    package var beta2 = 0.999
    package var epsilon = 1e-8
    /// Memory per rank for saved activations in addition to the layers' inputs, in MiB; beyond it they are recomputed.
    /// Absent: no recomputation.
    package var activationMemoryMiB: Int?
    /// Steps between validations; absent: with every checkpoint.
    package var validationEverySteps: Int?
    /// Validations without a better one that end the run; absent: none do.
    package var patience: Int?
    /// What makes a validation the best one: its loss, or a metric of answers that are generated for it.
    package var bestBy = BestBy.loss
    /// Validation examples that are answered where `bestBy` is not the loss, evenly spaced over all.
    package var answeredRows = 64
    /// Tokens that such an answer has at most.
    package var maxNewTokens = 64

    /// The part of all steps that warms up where `warmup_steps` is absent.
    package static let warmupFraction = 0.03

    /// Steps of warm-up in a run of `totalSteps` steps.
    package func warmup(totalSteps: Int) -> Int {
      warmupSteps ?? Int((Double(totalSteps) * Self.warmupFraction).rounded())
    }
  }

  package struct Checkpoint: Sendable, Equatable {
    /// The default is "checkpoints" in the folder of the run file.
    package var directory = RunPath()
    package var everySteps = 500
    /// Most minutes between checkpoints; `.inf`: `every_steps` alone decides.
    package var everyMinutes = 30.0
    /// Checkpoints that are kept, the newest first.
    package var keep = 3
  }

  package struct Logging: Sendable, Equatable {
    /// Steps between progress lines.
    package var everySteps = 10
    package var tensorboard = false
    /// The stall timeout: how long a rank may take for one piece of work before the watchdog reports it.
    package var stallTimeoutSeconds = 300.0
    /// The stall limit: how long no rank may get on before the job ends.
    package var stallLimitSeconds = StallLimit.automatic
  }
}
