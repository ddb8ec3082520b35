// A base model's folder, opened once: shape, mapped weights, tokenizer, chat template, processor.
import Files
import HuggingFace
import Preprocessing
import QwenVL
import Tensors

/// Everything that a Hugging Face folder holds about a model; immutable and shared.
package struct BaseModel: Sendable {
  package let folder: String
  /// As `QwenVLModel` has it.
  package let configuration: ModelConfiguration
  package let model: QwenVLModel<Float>
  package let tokenizer: Tokenizer
  package let template: ChatTemplate
  /// With the run's pixel limits where it states any.
  package let preprocessor: PreprocessorConfiguration
  /// How image files are decoded.
  package let reading: ImageReading
  /// Fingerprint of the weights; see `Checkpoint.digest`.
  package let digest: String
  /// Vision features, cached for all who share this model.
  package let featureStore: FeatureStore
  /// Hidden states of examples below adapted layers.
  package let hiddenStateStore: HiddenStateStore
  /// What of the folder is not used, or not as it says, a line each.
  package let notices: [String]
  /// The digest over all bytes of the weights, if it was made of these very files; see `FullDigest`.
  package let fullDigest: String?
  private let checkpoint: Checkpoint
  let prefixKVCaches = PrefixKVCaches()
  /// The compute precision of matrix multiplications with the weights.
  package var precision: Precision { model.precision }
  /// Bytes of all tensors in its files, which the ranks of a node map together.
  package var weightBytes: Int { checkpoint.byteCount }

  /// Opens and checks a folder; weights are mapped, nothing is copied.
  /// - Parameters: `precision` nil is the fastest of this processor; `minPixels`, `maxPixels` replace the folder's
  ///   pixel limits; `templateVariables` are given to the chat template to read; `reading` is how image files are
  ///   decoded; `features` states where vision features are cached.
  /// - Throws: `HuggingFaceError`, `FileError` or `PreprocessingError` in one line that names
  ///   the file and the key or tensor.
  package init(
    folder: String, precision: Precision? = .float32, minPixels: Int? = nil, maxPixels: Int? = nil,
    templateVariables: TemplateVariables = TemplateVariables(), reading: ImageReading = ImageReading(),
    features: FeatureStore.Settings = .init()
  ) throws {
    self.folder = folder
    let stated = try ModelConfiguration(folder: folder)
    let checkpoint = try Checkpoint(folder: folder)
    let model = try QwenVLModel<Float>(configuration: stated, checkpoint: checkpoint, precision: precision)
    let configuration = model.configuration
    let digest = checkpoint.digest
    let tokenizer = try Tokenizer(folder: folder)
    template = try ChatTemplate(folder: folder, variables: templateVariables)
    notices = checkpoint.notices + model.notices + tokenizer.notices
    var preprocessor = try PreprocessorConfiguration(folder: folder)
    preprocessor.minPixels = minPixels ?? preprocessor.minPixels
    preprocessor.maxPixels = maxPixels ?? preprocessor.maxPixels
    try Self.checkAgreement(folder, configuration, preprocessor, tokenizer)
    let cache = try features.cacheFolder.map { cacheFolder in
      try FeatureCache(
        folder: cacheFolder, baseDigest: digest, precision: model.precision.rawValue,
        conditions: FeatureCache.conditions(
          features, vision: configuration.vision, preprocessor: preprocessor, reading: reading),
        maximumBytes: features.cacheBytes, warn: features.warn)
    }
    featureStore = FeatureStore(
      tower: model.vision, processor: try ImageProcessor(preprocessor, reading: reading),
      columns: configuration.vision.featureColumns,
      memoryBytes: features.memoryBytes, cache: cache)
    hiddenStateStore = HiddenStateStore(memoryBytes: features.memoryBytes, cache: cache)
    fullDigest = FullDigest.kept(of: checkpoint, folder: folder)
    self.checkpoint = checkpoint
    (self.configuration, self.model, self.digest) = (configuration, model, digest)
    (self.tokenizer, self.preprocessor, self.reading) = (tokenizer, preprocessor, reading)
  }

  /// The element type of most of the weights, as they are stored.
  package var elementType: ElementType { checkpoint.mainElementType.flatMap(ElementType.init) ?? .float32 }

  /// Throws if a file of the weights was written to since the folder was opened: what was computed since then belongs
  /// to no base that could be named.
  /// - Throws: `FileError`.
  package func requireUnchanged() throws(FileError) { try checkpoint.requireUnchanged() }

  /// Reads all weights and keeps their digest for later (`FullDigest`).
  /// - Parameter progress: takes the bytes read so far and all.
  /// - Returns: the digest, and the document that it was kept in, if one could be written.
  /// - Throws: `FileError` if the bytes are others than those of a kept digest though the files have the same size and
  ///   time, or change meanwhile.
  package func verifiedDigest(progress: (_ bytes: Int, _ all: Int) -> Void) throws -> (digest: String, kept: String?) {
    let all = checkpoint.byteCount
    let digest = checkpoint.fullDigest { progress($0, all) }
    try requireUnchanged()
    if let fullDigest, fullDigest != digest {
      throw FileError(
        folder,
        "the weights have other bytes than when their digest was made (\(digest.prefix(12)), then "
          + "\(fullDigest.prefix(12))), though their files have the same size and time: the disk is damaged",
        remedy: "fetch the weights again")
    }
    return (digest, FullDigest.keep(digest, of: checkpoint, folder: folder))
  }

  /// A builder of samples of at most `maxLength` tokens, in the family's coordinates unless others are given.
  package func sampleBuilder(maxLength: Int, coordinates: Coordinates? = nil) throws -> SampleBuilder {
    try SampleBuilder(
      encoding: tokenizer, template: template, processor: ImageProcessor(preprocessor, reading: reading),
      coordinates: coordinates ?? Coordinates(of: configuration.family), maxLength: maxLength)
  }

  /// The parts of a folder must be of one model.
  private static func checkAgreement(
    _ folder: String, _ configuration: ModelConfiguration, _ preprocessor: PreprocessorConfiguration,
    _ tokenizer: Tokenizer
  ) throws {
    let vision = configuration.vision
    func contradiction(_ problem: String) -> FileError {
      FileError(folder, problem, remedy: "use the files of one model")
    }
    func agree(_ what: String, _ a: Int, _ b: Int) throws {
      guard a == b else { throw contradiction("\(what): \(a) and \(b) differ") }
    }
    try agree("patch_size of config.json and preprocessor_config.json", vision.patchSize, preprocessor.patchSize)
    try agree(
      "spatial_merge_size of config.json and merge_size of preprocessor_config.json", vision.spatialMergeSize,
      preprocessor.mergeSize)
    try agree(
      "temporal_patch_size of config.json and preprocessor_config.json", vision.temporalPatchSize,
      preprocessor.temporalPatchSize)
    try agree(
      "image_token_id of config.json and <|image_pad|> of the tokenizer", Int(configuration.imageTokenID),
      Int(tokenizer.id(of: "<|image_pad|>") ?? -1))
    guard tokenizer.vocabularySize <= configuration.text.vocabularySize else {
      throw contradiction(
        "the tokenizer has \(tokenizer.vocabularySize) tokens, the embedding only \(configuration.text.vocabularySize) "
          + "rows")
    }
  }
}

extension Coordinates {
  /// What the released models of a family write.
  package init(of family: ModelConfiguration.Family) {
    self = family == .qwen2_5_vl ? .pixels : .relative1000
  }
}
