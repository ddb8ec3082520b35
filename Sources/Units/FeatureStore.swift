// Features of pictures: the vision tower is frozen, so each picture's tokens are the same every time.
import Datasets
import Digests
import HuggingFace
import Preprocessing
import QwenVL
import Synchronization
import Tensors

/// Computes visual tokens, and keeps the latest ones in memory and all of them in a cache on disk, as far as it may.
public final class FeatureStore: Sendable {
  /// What is kept where.
  public struct Settings: Sendable {
    /// Memory that kept features may take; 0: none are kept.
    public var memoryBytes: Int
    /// Folder of the cache on disk; nil: none.
    public var cacheFolder: String?
    /// Threads of products, which decide bits.
    public var threads: Int
    /// Takes one line where the cache can no longer be written.
    public var warn: @Sendable (String) -> Void

    public init(
      memoryBytes: Int = 256 << 20, cacheFolder: String? = nil, threads: Int = 1,
      warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
      (self.memoryBytes, self.cacheFolder) = (memoryBytes, cacheFolder)
      (self.threads, self.warn) = (threads, warn)
    }
  }

  /// What was found out about a picture before its first use.
  public struct Checked: Codable, Sendable, Equatable {
    /// SHA-256 of its bytes.
    public let digest: String
    /// Whether the cache held its features then.
    public let isKept: Bool
  }

  /// How often features were not in memory.
  public struct Tally: Codable, Sendable, Equatable {
    /// Read from the cache.
    public var read = 0
    /// Pictures decoded and passed through the vision tower.
    public var computed = 0
    public init() {}
  }

  private struct Key: Hashable {
    let source: ImageSource
    let frame: ImageFrame
  }

  private struct Kept {
    var features: [Key: (features: Matrix<Float>, lastUse: Int)] = [:]
    var numbers = 0
    var uses = 0
    var checked: [ImageSource: Checked] = [:]
    var tally = Tally()
  }

  private let tower: VisionTower<Float>
  private let processor: ImageProcessor
  /// Numbers of a visual token.
  private let columns: Int
  private let maximumNumbers: Int
  private let cache: FeatureCache?
  private let kept = Mutex(Kept())

  init(tower: VisionTower<Float>, processor: ImageProcessor, columns: Int, memoryBytes: Int, cache: FeatureCache?) {
    self.tower = tower
    self.processor = processor
    self.columns = columns
    self.cache = cache
    maximumNumbers = memoryBytes / MemoryLayout<Float>.stride
  }

  /// Pictures that came from the cache or were computed, so far.
  public var tally: Tally { kept.withLock { $0.tally } }

  /// The cache's folder, how many pictures were checked, and how many of them it held then; nil without a cache.
  public var cacheState: (folder: String, pictures: Int, kept: Int)? {
    guard let cache else { return nil }
    let checked = kept.withLock { $0.checked }
    return (cache.folder, checked.count, checked.values.count(where: \.isKept))
  }

  /// Makes sure that a picture can be decoded; one whose features are in the cache was decoded before.
  /// - Returns: what `remember` takes, nil without a cache.
  public func check(_ source: ImageSource) throws(PreprocessingError) -> Checked? {
    if let known = kept.withLock({ $0.checked[source] }) { return known }
    let bytes = try ImageDecoder.bytes(of: source)
    var checked: Checked?
    if let cache {
      let digest = SHA256.hex(bytes)
      let frame = try? processor.frame(of: ImageDecoder.size(of: .inline(bytes)), name: source.name)
      let picture = frame.map { FeatureCache.Picture(digest: digest, grid: processor.grid(of: $0)) }
      checked = Checked(digest: digest, isKept: picture.map(cache.contains) ?? false)
    }
    if checked?.isKept != true { _ = try ImageDecoder.decode(bytes, name: source.name) }
    return checked
  }

  /// Takes the digests of pictures as true from now on, so that kept features need none of a picture's bytes.
  public func remember(_ checked: [ImageSource: Checked]) {
    kept.withLock { $0.checked.merge(checked) { first, _ in first } }
  }

  /// Each image's visual tokens, `[t h w / merge^2, featureColumns]`; a picture is decoded only if its own are not
  /// kept.
  /// - Throws: `SampleError` for a picture that can no longer be read or has changed.
  public func features(of row: Row, sample: Sample) throws(SampleError) -> [Matrix<Float>] {
    precondition(sample.id == row.id && sample.frames.count <= row.images.count, "the sample is another row's")
    var all: [Matrix<Float>] = []
    for (source, frame) in zip(row.images, sample.frames) {
      do throws(PreprocessingError) {
        all.append(try features(of: Key(source: source, frame: frame)))
      } catch {
        throw SampleError(id: row.id, line: row.line, reason: .image(error))
      }
    }
    return all
  }

  private func features(of key: Key) throws(PreprocessingError) -> Matrix<Float> {
    if let known = lookUp(key) { return known }
    let (features, isRead) = try load(key)
    kept.withLock { kept in
      if isRead { kept.tally.read += 1 } else { kept.tally.computed += 1 }
    }
    keep(features, for: key)
    return features
  }

  /// From the cache, or else from the picture's bytes; what is written is of the very bytes that were digested.
  private func load(_ key: Key) throws(PreprocessingError) -> (features: Matrix<Float>, isRead: Bool) {
    guard let cache else { return (try compute(ImageDecoder.bytes(of: key.source), key.frame, key.source.name), false) }
    let grid = processor.grid(of: key.frame)
    func read(_ digest: String) -> Matrix<Float>? {
      cache.read(
        FeatureCache.Picture(digest: digest, grid: grid), rows: grid.tokens(mergeSize: processor.settings.mergeSize),
        columns: columns)
    }
    let checked = kept.withLock { $0.checked[key.source]?.digest }
    if let checked, let found = read(checked) { return (found, true) }
    let bytes = try ImageDecoder.bytes(of: key.source)
    let digest = SHA256.hex(bytes)
    guard digest == checked ?? digest else {
      let words = [checked ?? "", digest].map { "SHA-256 \($0.prefix(12))" }
      throw .changed(image: key.source.name, expected: words[0], found: words[1])
    }
    if checked == nil, let found = read(digest) { return (found, true) }
    let features = try compute(bytes, key.frame, key.source.name)
    cache.write(features, of: FeatureCache.Picture(digest: digest, grid: grid))
    return (features, false)
  }

  private func compute(
    _ bytes: [UInt8], _ frame: ImageFrame, _ name: String
  ) throws(PreprocessingError) -> Matrix<Float> {
    let image = try processor.process(bytes, expecting: frame, name: name)
    let patches = Matrix(image.patches, rows: image.grid.patches, columns: image.patches.count / image.grid.patches)
    return tower.forward(patches: patches, grid: image.grid)
  }

  private func lookUp(_ key: Key) -> Matrix<Float>? {
    kept.withLock { kept in
      kept.uses += 1
      kept.features[key]?.lastUse = kept.uses
      return kept.features[key]?.features
    }
  }

  /// Makes room by dropping what was used longest ago; what is larger than the whole bound is not kept.
  private func keep(_ features: Matrix<Float>, for key: Key) {
    let numbers = features.rows * features.columns
    guard numbers <= maximumNumbers else { return }
    kept.withLock { kept in
      guard kept.features[key] == nil else { return }
      while kept.numbers + numbers > maximumNumbers,
        let oldest = kept.features.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        kept.features[oldest.key] = nil
        kept.numbers -= oldest.value.features.rows * oldest.value.features.columns
      }
      kept.features[key] = (features, kept.uses)
      kept.numbers += numbers
    }
  }
}
