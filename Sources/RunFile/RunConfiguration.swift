// A run as the run file states it: every key, its type and its default.

/// A run: which model learns what from which rows, and how.
public struct RunConfiguration: Sendable, Equatable {
  public var model = Model()
  public var data = Data()
  public var adapter = Adapter()
  public var training = Training()
  public var checkpoint = Checkpoint()
  public var logging = Logging()
  /// The run file, as given.
  public let path: String

  /// A run of defaults, before its file is read.
  init(defaultsOf path: String) { self.path = path }
}

/// A path of a run file.
public struct RunPath: Sendable, Equatable {
  /// As it stands in the file; empty where the key is absent.
  public var written = ""
  /// Absolute; a relative one starts from the run file's folder.
  public var resolved = ""
}

/// The arithmetic of products with the frozen weights.
public enum Precision: String, Sendable, CaseIterable { case fp32, bf16 }

/// What a bad row of data does.
public enum BadRows: String, Sendable, CaseIterable { case strict, skip }

/// What the coordinates of places count: pixels of the resized picture, or thousandths of the picture's sides.
public enum Coordinates: String, Sendable, CaseIterable {
  case pixels
  case relative1000 = "relative_1000"
}

public enum AdapterKind: String, Sendable, CaseIterable {
  case imageLoRA = "image_lora"
  case lora
}

/// Attention projections of the decoder, by their names in checkpoints.
public enum TargetModule: String, Sendable, CaseIterable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
}

/// The factor for the number of selected heads of a layer.
public enum Normalization: String, Sendable, CaseIterable {
  case inverseSqrtSelected = "inverse_sqrt_selected"
  case none
}

/// How KV heads are chosen.
public enum HeadSelection: String, Sendable, CaseIterable {
  case influence, all, random
  case perLayer = "per_layer"
  case file, lowest
}

/// How a head's influence is estimated.
public enum Estimator: String, Sendable, CaseIterable { case rank1, gate }

/// The learning rate over the steps after warm-up.
public enum Schedule: String, Sendable, CaseIterable { case cosine, linear, constant }

extension RunConfiguration {
  public struct Model: Sendable, Equatable {
    /// The folder of the base model; required.
    public var path = RunPath()
    /// Absent: bf16 where checkpoint and processors have it, otherwise fp32.
    public var precision: Precision?
    /// Allows bf16 on processors without bf16 instructions: the same rounding, slower than fp32.
    public var emulateBF16: Bool?
    /// Fewest and most pixels of an image after resizing; absent: the model folder's own limits.
    public var minPixels: Int?
    public var maxPixels: Int?
    /// Threads a rank. They are part of the run's identity: sums may differ with their number.
    public var threads = 1
    /// Memory a rank for features of pictures, in MiB; 0 keeps none.
    public var featureMemoryMiB = 256
    /// Folder where features are kept on disk for all ranks and later runs; absent: none.
    public var featureCache: RunPath?
  }

  public struct Data: Sendable, Equatable {
    /// Training rows, JSON Lines; required.
    public var train = RunPath()
    /// Validation rows; absent: no validation.
    public var validation: RunPath?
    /// Where relative image paths start; the default, ".", is the run file's folder.
    public var imageRoot = RunPath()
    /// Longest row, in tokens.
    public var maxLength = 4096
    /// Rows of the same images are computed together.
    public var groupByImage = true
    /// Of `<bbox>`, `<point>` and answers; absent: the base model's.
    public var coordinates: Coordinates?
    public var badRows = BadRows.strict
  }

  public struct Adapter: Sendable, Equatable {
    public var kind = AdapterKind.imageLoRA
    public var rank = 8
    public var alpha = 16.0
    public var normalization = Normalization.inverseSqrtSelected
    public var heads = Heads()
    /// What a LoRA adapts in every layer, all four unless stated; nil with an Image-LoRA.
    public var targets: [TargetModule]?
    /// Folder of an adapter of the same shape whose numbers training starts from; absent: a new adapter.
    public var start: RunPath?
  }

  public struct Heads: Sendable, Equatable {
    public var select = HeadSelection.influence
    /// KV heads over all layers; absent: a quarter of all, at least one.
    public var numHeads: Int?
    /// Temperature of the budgets over layers.
    public var tau = 0.5
    public var estimator = Estimator.rank1
    /// Rows that influence is measured on; absent: all training rows.
    public var probeRows: Int?
    /// KV heads in every layer, with `select: per_layer`.
    public var perLayer: Int?
    /// Seed of the probe and of `select: random`.
    public var seed: UInt64 = 0
    /// The selection to read, with `select: file`.
    public var file: RunPath?
  }

  public struct Training: Sendable, Equatable {
    /// Passes over the training rows. Exactly one of `epochs` and `steps` is given.
    public var epochs: Double?
    /// Optimizer steps.
    public var steps: Int?
    /// Rows of an optimizer step, over all ranks.
    public var globalBatch = 8
    /// Rows of different pictures that a rank computes in one pass, one unless stated: more is faster and takes more
    /// memory. The last bits of the result depend on it.
    public var microBatch: Int?
    public var learningRate = 1e-5
    public var schedule = Schedule.cosine
    /// Steps of linear warm-up; absent: `warmupFraction` of all steps.
    public var warmupSteps: Int?
    public var weightDecay = 0.0
    /// Gradients of a larger global norm are scaled down to it; `.inf` turns clipping off.
    public var maxGradientNorm = 1.0
    public var seed: UInt64 = 0
    public var beta1 = 0.9
    public var beta2 = 0.999
    public var epsilon = 1e-8
    /// Memory for what forward keeps for backward besides the layers' inputs, a rank; absent: everything is kept.
    public var activationMemoryMiB: Int?
    /// Steps between validations; absent: with every checkpoint.
    public var validationEverySteps: Int?

    /// The part of all steps that warms up where `warmup_steps` is absent.
    public static let warmupFraction = 0.03

    /// Steps of warm-up in a run of `totalSteps` steps.
    public func warmup(totalSteps: Int) -> Int {
      warmupSteps ?? Int((Double(totalSteps) * Self.warmupFraction).rounded())
    }
  }

  public struct Checkpoint: Sendable, Equatable {
    /// The default, "checkpoints", lies beside the run file.
    public var directory = RunPath()
    public var everySteps = 500
    /// Minutes between checkpoints, besides `every_steps`; absent: steps alone decide.
    public var everyMinutes: Double?
    /// Checkpoints that are kept, the newest first.
    public var keep = 3
  }

  public struct Logging: Sendable, Equatable {
    /// Steps between progress lines.
    public var everySteps = 10
    public var tensorboard = false
    /// How long a rank may take for one piece of work before it says so.
    public var patienceSeconds = 300.0
  }
}
