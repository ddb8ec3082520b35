// The keys of a run file, stated once: reading, printing, digesting and suggesting keys are visitors of this.

import Adapters
import Preprocessing

/// Whether the results of a run depend on a key, so that the key counts in the run's digest.
enum Effect: Equatable {
  case numbers, elsewhere
  /// Numbers, but the key counts only where it has another value than this one: what versions without the key did.
  case numbersUnless(String)
}

/// What walks over the keys of a run.
protocol Visitor {
  associatedtype Failure: Error
  mutating func section<S: Section>(_ key: String, _ section: inout S) throws(Failure)
  /// A key with a default.
  mutating func field<V: Value>(
    _ key: String, _ value: inout V, _ accepted: Accepted<V>, _ effect: Effect) throws(Failure)
  /// A key that may be absent.
  mutating func field<V: Value>(
    _ key: String, _ value: inout V?, _ accepted: Accepted<V>, _ effect: Effect) throws(Failure)
}

extension Visitor {
  mutating func field<V: Value>(
    _ key: String, _ value: inout V, _ accepted: Accepted<V> = .any, effect: Effect = .numbers
  ) throws(Failure) {
    try field(key, &value, accepted, effect)
  }

  mutating func field<V: Value>(
    _ key: String, _ value: inout V?, _ accepted: Accepted<V> = .any, effect: Effect = .numbers
  ) throws(Failure) {
    try field(key, &value, accepted, effect)
  }
}

/// A mapping of the run file.
protocol Section {
  /// Shows every key to the visitor, in the order of the printed run.
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure)
}

extension RunConfiguration: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.section("model", &model)
    try v.section("data", &data)
    try v.section("adapter", &adapter)
    try v.section("training", &training)
    try v.section("checkpoint", &checkpoint)
    try v.section("logging", &logging)
  }
}

extension RunConfiguration.Model: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field("path", &path, .required, effect: .elsewhere)
    try v.field("precision", &precision)
    try v.field("emulate_bf16", &emulateBF16)
    try v.field("reproducible", &reproducible)
    try v.field("min_pixels", &minPixels, .within(1...1_000_000_000))
    try v.field("max_pixels", &maxPixels, .within(1...1_000_000_000))
    try v.field("template", &template)
    try v.field("threads", &threads, .within(1...1024))
    try v.field("feature_memory_mib", &featureMemoryMiB, .within(0...1_048_576), effect: .elsewhere)
    try v.field("feature_cache", &featureCache, effect: .elsewhere)
    try v.field(
      "feature_cache_gib", &featureCacheGiB, .within(0x1p-20...1_048_576, "a number above 0"), effect: .elsewhere)
  }
}

extension RunConfiguration.Data: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field("train", &train, .required, effect: .elsewhere)
    try v.field("validation", &validation, effect: .elsewhere)
    try v.field(
      "validation_fraction", &validationFraction,
      .within(Double.leastNonzeroMagnitude...1.nextDown, "a number above 0 and below 1"), effect: .elsewhere)
    try v.field("validation_seed", &validationSeed, effect: .elsewhere)
    try v.field("system", &system)
    try v.field("image_root", &imageRoot, .absent("."), effect: .elsewhere)
    try v.field("allow_outside", &allowOutside, effect: .elsewhere)
    try v.field("max_length", &maxLength, .within(1...1_048_576))
    try v.field("group_by_image", &groupByImage)
    try v.field("coordinates", &coordinates)
    try v.field("bad_rows", &badExamples, effect: .elsewhere)
    try v.field("ids", &ids, effect: .elsewhere)
    try v.field("ignore_keys", &ignoredKeys, .ignorable, effect: .elsewhere)
    try v.field("damaged_images", &damagedImages, effect: .elsewhere)
    try v.field("transparency", &transparency, effect: .numbersUnless(ImageReading.Transparency.drop.rawValue))
    try v.field(
      "exif_orientation", &exifOrientation, effect: .numbersUnless(ImageReading.ExifOrientation.ignore.rawValue))
    try v.field("scorer", &scorer, effect: .elsewhere)
    try v.field("prepared", &prepared, effect: .elsewhere)
  }
}

extension DataFile: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field("path", &path, .required, effect: .elsewhere)
    try v.field("weight", &weight, .within(0.001...100), effect: .elsewhere)
    try v.field("image_root", &imageRoot, effect: .elsewhere)
    try v.field("name", &name, .fileNames, effect: .elsewhere)
  }
}

extension RunConfiguration.Adapter: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field("kind", &kind)
    try v.field("rank", &rank, .within(1...1024))
    try v.field("alpha", &alpha, .positive)
    switch kind {
    case .imageLoRA:
      try v.field("normalization", &normalization)
      try v.field("gamma", &gamma, .positive, effect: .numbersUnless(ImageLoRAConfiguration.gammaStart.yaml))
      try v.field("value_heads", &valueHeads)
      try v.section("heads", &heads)
    case .lora:
      try v.field("targets", &targets)
      try v.field("layers", &layers)
      try v.field("rank_pattern", &rankPattern)
      try v.field("alpha_pattern", &alphaPattern)
      try v.field("rslora", &rslora, effect: .numbersUnless(false.yaml))
      try v.field("dropout", &dropout, .within(0...0.95), effect: .numbersUnless(0.0.yaml))
    }
    try v.field("start", &start, effect: .elsewhere)
  }
}

extension RunConfiguration.Heads: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field("select", &select)
    try v.field("num_heads", &numHeads, .within(1...1_000_000))
    try v.field("from_layer", &fromLayer, .within(0...1023))
    try v.field("tau", &tau, .within(0...100))
    try v.field("estimator", &estimator)
    // Without the key all examples were probed.
    try v.field("probe_rows", &probeRows, .within(1...1_000_000_000), effect: .numbersUnless("1000000000"))
    try v.field("per_layer", &perLayer, .within(1...1_000_000))
    try v.field("seed", &seed)
    try v.field("file", &file, effect: .elsewhere)
  }
}

extension RunConfiguration.Training: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field(
      "epochs", &epochs, .within(Double.leastNonzeroMagnitude...1_000_000, "a number above 0, at most 1000000"))
    try v.field("steps", &steps, .within(1...1_000_000_000))
    try v.field("global_batch", &globalBatch, .within(1...1_000_000))
    // Without the key images passed the decoder one by one.
    try v.field("micro_batch", &microBatch, effect: .numbersUnless("1"))
    try v.field("learning_rate", &learningRate, .within(0...10))
    try v.field("rate_factors", &rateFactors, effect: .numbersUnless(RateFactors.plain.yaml))
    try v.field("schedule", &schedule)
    try v.field("min_learning_rate", &minLearningRate, .within(0...10))
    try v.field("warmup_steps", &warmupSteps, .within(0...1_000_000_000))
    try v.field("weight_decay", &weightDecay, .within(0...1))
    try v.field(
      "max_gradient_norm", &maxGradientNorm,
      .within(Double.leastNonzeroMagnitude...Double.infinity, "a number above 0, or .inf for no clipping"))
    try v.field("seed", &seed)
    try v.field("beta1", &beta1, .within(0...1.nextDown, "a number from 0 to below 1"))
    try v.field("beta2", &beta2, .within(0...1.nextDown, "a number from 0 to below 1"))
    try v.field("epsilon", &epsilon, .positive)
    try v.field("activation_memory_mib", &activationMemoryMiB, .within(0...1_048_576), effect: .elsewhere)
    try v.field("validation_every_steps", &validationEverySteps, .within(1...1_000_000_000), effect: .elsewhere)
    try v.field("patience", &patience, .within(1...1_000_000_000), effect: .elsewhere)
    try v.field("best_by", &bestBy, effect: .elsewhere)
    try v.field("answered_rows", &answeredRows, .within(1...1_000_000_000), effect: .elsewhere)
    try v.field("max_new_tokens", &maxNewTokens, .within(1...1_048_576), effect: .elsewhere)
  }
}

extension RunConfiguration.Checkpoint: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field("directory", &directory, .absent("checkpoints"), effect: .elsewhere)
    try v.field("every_steps", &everySteps, .within(1...1_000_000_000), effect: .elsewhere)
    try v.field(
      "every_minutes", &everyMinutes,
      .within(Double.leastNonzeroMagnitude...Double.infinity, "a number above 0, or .inf for every_steps alone"),
      effect: .elsewhere)
    try v.field("keep", &keep, .within(1...1_000_000), effect: .elsewhere)
  }
}

extension RunConfiguration.Logging: Section {
  mutating func visit<V: Visitor>(_ v: inout V) throws(V.Failure) {
    try v.field("every_steps", &everySteps, .within(1...1_000_000_000), effect: .elsewhere)
    try v.field("tensorboard", &tensorboard, effect: .elsewhere)
    try v.field("stall_timeout_seconds", &stallTimeoutSeconds, .within(0.01...1e9), effect: .elsewhere)
    try v.field("stall_limit_seconds", &stallLimitSeconds, effect: .elsewhere)
  }
}
