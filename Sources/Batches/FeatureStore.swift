// Vision features: the vision tower is frozen, so each image's tokens are the same every time.
import Datasets
import Digests
import HuggingFace
import Preprocessing
import QwenVL
import Synchronization
import Tensors

/// Computes vision features and caches them: the latest used in memory, all of them on disk, as far as the settings
/// allow.
package final class FeatureStore: Sendable {
  /// What is cached where.
  package struct Settings: Sendable {
    /// Memory for cached features; 0: none are cached there.
    package var memoryBytes: Int
    /// Folder of the cache on disk; nil: none.
    package var cacheFolder: String?
    /// Bytes that it may hold; nil: any number.
    package var cacheBytes: Int?
    /// Threads of matrix multiplications, which decide bits.
    package var threads: Int
    /// Takes one line when the cache can no longer be written.
    package var warn: @Sendable (String) -> Void

    package init(
      memoryBytes: Int = 256 << 20, cacheFolder: String? = nil, cacheBytes: Int? = nil, threads: Int = 1,
      warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
      (self.memoryBytes, self.cacheFolder, self.cacheBytes) = (memoryBytes, cacheFolder, cacheBytes)
      (self.threads, self.warn) = (threads, warn)
    }
  }

  /// What was found out about an image before its first use.
  package struct Checked: Codable, Sendable, Equatable {
    /// SHA-256 of its bytes.
    package let digest: String
    /// Whether the cache had its features then.
    package let isCached: Bool
    /// What is wrong with its file, whose pixels are whole; nil for a sound one, and for one that was not decoded.
    package var damage: String?
  }

  /// How often features were not in memory.
  package struct Tally: Codable, Sendable, Equatable {
    /// Read from the cache.
    package var read = 0
    /// Images decoded and passed through the vision tower.
    package var computed = 0
    package init() {}
  }

  private struct Key: Hashable {
    let source: ImageSource
    let frame: ImageFrame
  }

  private struct State {
    var features: MatrixMemory<Key>
    var checked: [ImageSource: Checked] = [:]
    /// Whether all images were looked for in the cache.
    var isCounted = true
    var tally = Tally()
  }

  private let tower: VisionTower<Float>
  private let processor: ImageProcessor
  /// Numbers of a visual token.
  private let columns: Int
  private let cache: FeatureCache?
  private let state: Mutex<State>

  init(tower: VisionTower<Float>, processor: ImageProcessor, columns: Int, memoryBytes: Int, cache: FeatureCache?) {
    self.tower = tower
    self.processor = processor
    self.columns = columns
    self.cache = cache
    state = Mutex(State(features: MatrixMemory(bytes: memoryBytes)))
  }

  /// Images that came from the cache or were computed, so far.
  package var tally: Tally { state.withLock { $0.tally } }

  /// The cache's folder, how many images were checked, and how many of them it had then; nil without a cache, or where
  /// no image was looked for there.
  package var cacheState: (folder: String, counts: (images: Int, cached: Int)?)? {
    guard let cache else { return nil }
    let (checked, isCounted) = state.withLock { ($0.checked, $0.isCounted) }
    return (cache.folder, isCounted ? (checked.count, checked.values.count(where: \.isCached)) : nil)
  }

  /// Makes sure that an image can be decoded; one whose features are in the cache was decoded before.
  /// - Returns: what `remember` takes.
  package func check(_ source: ImageSource) throws(PreprocessingError) -> Checked {
    if let known = state.withLock({ $0.checked[source] }) { return known }
    let bytes = try ImageDecoder.bytes(of: source)
    var checked = Checked(digest: source.digest(of: bytes), isCached: false)
    if let cache {
      let size = try ImageDecoder.size(of: .inline(bytes), reading: processor.reading)
      let frame = try? processor.frame(of: size, request: source.requestedSize, name: source.name)
      let stored = frame.map { image(of: $0, digest: checked.digest) }
      checked = Checked(digest: checked.digest, isCached: stored.map(cache.contains) ?? false)
    }
    if !checked.isCached {
      checked.damage = try ImageDecoder.decode(bytes, name: source.name, reading: processor.reading).damage
    }
    return checked
  }

  private func image(of frame: ImageFrame, digest: String) -> FeatureCache.Image {
    FeatureCache.Image(digest: digest, grid: processor.grid(of: frame), requested: frame.requested)
  }

  /// Takes the digests of images as true from now on: cached features need none of an image's bytes, and an image with
  /// other bytes is refused.
  package func remember(_ checked: [ImageSource: Checked]) {
    state.withLock { $0.checked.merge(checked) { first, _ in first } }
  }

  /// The same for images that an earlier start checked.
  func remember(_ images: [Preparation.LooseImage]) {
    let checked = images.compactMap { image in
      image.digest.map { (ImageSource.file(image.path), Checked(digest: $0, isCached: false)) }
    }
    state.withLock { $0.isCounted = false }
    remember(Dictionary(checked) { first, _ in first })
  }

  /// The features of each of a sample's images, `[t h w / merge^2, featureColumns]`; an image is decoded only if its
  /// features are not cached.
  /// - Throws: `SampleError` for an image that can no longer be read or has changed.
  package func features(of row: Example, sample: Sample) throws(SampleError) -> [Matrix<Float>] {
    try mapImages(of: row, sample) { key throws(PreprocessingError) in try features(of: key) }
  }

  private func mapImages<Result>(
    of row: Example, _ sample: Sample, _ make: (Key) throws(PreprocessingError) -> Result
  ) throws(SampleError) -> [Result] {
    precondition(sample.id == row.id && sample.frames.count <= row.images.count, "the sample is another example's")
    var all: [Result] = []
    for (source, frame) in zip(row.images, sample.frames) {
      do throws(PreprocessingError) {
        all.append(try make(Key(source: source, frame: frame)))
      } catch {
        throw SampleError(id: row.id, line: row.line, reason: .image(error))
      }
    }
    return all
  }

  private func features(of key: Key) throws(PreprocessingError) -> Matrix<Float> {
    if let known = state.withLock({ $0.features.find(key) }) { return known }
    let (features, isRead) = try load(key)
    state.withLock { state in
      if isRead { state.tally.read += 1 } else { state.tally.computed += 1 }
      state.features.keep(features, for: key)
    }
    return features
  }

  /// From the cache, or else from the image's bytes; the features that are written are those of the bytes that were
  /// digested.
  private func load(_ key: Key) throws(PreprocessingError) -> (features: Matrix<Float>, isRead: Bool) {
    let grid = processor.grid(of: key.frame)
    func read(_ digest: String) -> Matrix<Float>? {
      cache?.read(
        image(of: key.frame, digest: digest), rows: grid.tokens(mergeSize: processor.settings.mergeSize),
        columns: columns)
    }
    let checked = state.withLock { $0.checked[key.source]?.digest } ?? key.source.statedDigest
    if let checked, let found = read(checked) { return (found, true) }
    let (bytes, digest) = try bytes(of: key.source)
    if checked == nil, let found = read(digest) { return (found, true) }
    let features = try compute(bytes, key.frame, key.source.name)
    cache?.write(features, of: image(of: key.frame, digest: digest))
    return (features, false)
  }

  /// An image's bytes, if they are those that were checked, and their digest.
  private func bytes(of source: ImageSource) throws(PreprocessingError) -> (bytes: [UInt8], digest: String) {
    let bytes = try ImageDecoder.bytes(of: source)
    let digest = source.digest(of: bytes)
    if let checked = state.withLock({ $0.checked[source]?.digest }), checked != digest {
      let words = [checked, digest].map { "SHA-256 \($0.prefix(12))" }
      throw .changed(image: source.name, expected: words[0], found: words[1])
    }
    return (bytes, digest)
  }

  private func compute(
    _ bytes: [UInt8], _ frame: ImageFrame, _ name: String
  ) throws(PreprocessingError) -> Matrix<Float> {
    let (patches, grid) = try patches(bytes, frame, name)
    return tower.forward(patches: patches, grid: grid)
  }

  private func patches(
    _ bytes: [UInt8], _ frame: ImageFrame, _ name: String
  ) throws(PreprocessingError) -> (patches: Matrix<Float>, grid: GridTHW) {
    let image = try processor.process(bytes, expecting: frame, name: name)
    let columns = image.patches.count / image.grid.patches
    return (Matrix(image.patches, rows: image.grid.patches, columns: columns), image.grid)
  }

  /// The patches of each of a sample's images, for an adapter of the vision tower: features that change are not cached.
  /// - Throws: `SampleError` for an image that can no longer be read or has changed.
  func patches(
    of row: Example, sample: Sample
  ) throws(SampleError) -> [(patches: Matrix<Float>, grid: GridTHW)] {
    try mapImages(of: row, sample) { key throws(PreprocessingError) in
      try patches(try bytes(of: key.source).bytes, key.frame, key.source.name)
    }
  }

  /// What decides the features of each of a sample's images.
  /// - Throws: `SampleError` for an image that can no longer be read.
  func identities(of row: Example, sample: Sample) throws(SampleError) -> [String] {
    try mapImages(of: row, sample) { key throws(PreprocessingError) in
      let known = state.withLock { $0.checked[key.source]?.digest } ?? key.source.statedDigest
      let digest = if let known { known } else { try bytes(of: key.source).digest }
      return image(of: key.frame, digest: digest).lines.joined(separator: " ")
    }
  }
}

extension ImageSource {
  /// SHA-256 of its bytes, just read; a pack has compared them with the digest that it states.
  fileprivate func digest(of bytes: [UInt8]) -> String { statedDigest ?? SHA256.hex(bytes) }

  /// What the file that it is in says of its bytes.
  fileprivate var statedDigest: String? {
    if case .packed(let image) = address { image.digest } else { nil }
  }
}
