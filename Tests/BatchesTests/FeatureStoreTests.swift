// Cached features are those that the vision tower would compute, in every bit, whatever happens to the cache's files.
import Datasets
import Digests
import Files
import Foundation
import HDF5
import Preprocessing
import Synchronization
import Tensors
import TestSupport
import Testing
import TinyModels

@testable import Batches

/// Two images, their example, and a folder for a cache.
private final class Setup {
  let folder: TemporaryFolder
  var cache: String { folder.path("cache") }
  let row: Example
  private let model: String
  var images: [String] { ["0.png", "1.jpg"].map(folder.path) }

  init(_ fixture: String = "a") throws {
    model = ParityFixture.path(fixture) + "/model"
    folder = try TemporaryFolder()
    let folder = folder
    let sources = try ["0.png", "1.jpg"].map { name in
      try FileManager.default.copyItem(
        atPath: "\(ParityFixture.path(fixture))/images/\(name)", toPath: folder.path(name))
      return ImageSource.file(folder.path(name))
    }
    row = Example(
      id: "r", line: 1, images: sources,
      messages: [
        Message(role: .user, content: [.image(0), .image(1), .text("Which is larger?")]),
        Message(role: .assistant, content: [.text("the first")]),
      ])
  }

  /// The base as a new run opens it.
  func base(
    memory: Int = 256 << 20, cached: Bool = true, precision: Precision = .float32, threads: Int = 1,
    maxPixels: Int? = nil,
    warn: @escaping @Sendable (String) -> Void = { _ in }
  ) throws -> BaseModel {
    try BaseModel(
      folder: model, precision: precision, maxPixels: maxPixels,
      features: FeatureStore.Settings(
        memoryBytes: memory, cacheFolder: cached ? cache : nil, threads: threads, warn: warn))
  }

  /// Each image's features, in bits.
  func features(_ base: BaseModel) throws -> [[UInt32]] {
    let sample = try base.sampleBuilder(maxLength: 4096).sample(for: row)
    return try base.featureStore.features(of: row, sample: sample).map { $0.values.map(\.bitPattern) }
  }

  /// All files of the cache by path, in order.
  func files() throws -> [String: Data] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: cache)
    var files: [String: Data] = [:]
    for name in names where name.hasSuffix(".h5") || name.hasSuffix(".partial") {
      files["\(cache)/\(name)"] = try Data(contentsOf: URL(fileURLWithPath: "\(cache)/\(name)"))
    }
    return files
  }
}

private func tally(read: Int, computed: Int) -> FeatureStore.Tally {
  var tally = FeatureStore.Tally()
  (tally.read, tally.computed) = (read, computed)
  return tally
}

@Suite("Cached features are the computed ones")
struct FeatureStoreTests {
  @Test(
    "the same bits without a cache, with a cold and with a warm one", arguments: [0, 256 << 20], ["a", "qwen3-vl"])
  func sameBits(memory: Int, fixture: String) throws {
    let setup = try Setup(fixture)
    let expected = try setup.features(setup.base(cached: false))
    let (cold, warm) = (try setup.base(memory: memory), try setup.base(memory: memory))
    #expect(try setup.features(cold) == expected && cold.featureStore.tally == tally(read: 0, computed: 2))
    #expect(try setup.files().count == 2)
    #expect(try setup.features(warm) == expected && warm.featureStore.tally == tally(read: 2, computed: 0))
  }

  @Test("memory holds what fits, the latest first; 0 holds nothing")
  func memory() throws {
    let setup = try Setup()
    let bytes = try setup.features(setup.base(cached: false)).map { $0.count * 4 }
    for (memory, computed) in [(bytes[0] + bytes[1], 2), (max(bytes[0], bytes[1]), 4), (0, 4)] {
      let base = try setup.base(memory: memory, cached: false)
      _ = (try setup.features(base), try setup.features(base))
      #expect(base.featureStore.tally.computed == computed, "\(memory) bytes")
    }
  }

  @Test("a file states what it holds, deepstack's features too", arguments: [("a", 1), ("qwen3-vl", 3)])
  func layout(fixture: String, parts: Int) throws {
    let setup = try Setup(fixture)
    let base = try setup.base()
    let features = try setup.features(base)
    let sample = try base.sampleBuilder(maxLength: 4096).sample(for: setup.row)
    let digests = try setup.images.map { SHA256.hex([UInt8](try Data(contentsOf: URL(fileURLWithPath: $0)))) }
    let columns = parts * base.configuration.text.hiddenSize
    for path in try setup.files().keys {
      #expect(path.hasPrefix("\(setup.cache)/\(base.digest.prefix(16))-fp32/"))
      let file = try File.open(path)
      let image = try #require(digests.firstIndex(of: file.attribute("picture_digest", as: String.self)))
      let grid = sample.grids[image]
      #expect(try file.attribute("schema_version", as: Int64.self) == 1)
      #expect(try file.attribute("grid", as: String.self) == "\(grid.t)x\(grid.h)x\(grid.w)")
      #expect(try file.attribute("base_digest", as: String.self) == base.digest)
      #expect(try file.attribute("conditions", as: String.self).contains("fp32, threads 1\n"))
      let values = try file.read(Float.self, from: "/features", shape: [grid.tokens(mergeSize: 2), columns])
      #expect(values.map(\.bitPattern) == features[image])
    }
  }

  @Test("features of another precision, number of threads or size are not taken")
  func otherConditions() throws {
    let setup = try Setup()
    _ = try setup.features(setup.base())
    for base in [
      try setup.base(precision: .bfloat16), try setup.base(threads: 2), try setup.base(maxPixels: 3136),
    ] {
      _ = try setup.features(base)
      #expect(base.featureStore.tally == tally(read: 0, computed: 2))
    }
    #expect(try setup.files().count == 8)
  }

  @Test("what is damaged, cut, foreign or another image's is computed and written again")
  func damage() throws {
    let setup = try Setup()
    let expected = try setup.features(setup.base())
    let valid = try setup.files()
    let paths = valid.keys.sorted()
    func heals(_ what: String, _ spoil: (String, Data) throws -> Void) throws {
      try spoil(paths[0], valid[paths[0]] ?? Data())
      let base = try setup.base()
      #expect(try setup.features(base) == expected, "\(what)")
      if base.featureStore.tally.computed > 0 { #expect(try setup.files() == valid, "\(what)") }
      try valid[paths[0]]?.write(to: URL(fileURLWithPath: paths[0]))
    }
    func write(_ data: Data, _ path: String) throws { try data.write(to: URL(fileURLWithPath: path)) }
    try heals("empty") { path, _ in try write(Data(), path) }
    try heals("text") { path, _ in try write(Data("features".utf8), path) }
    try heals("gone") { path, _ in try FileManager.default.removeItem(atPath: path) }
    try heals("another image's") { path, _ in try write(valid[paths[1]] ?? Data(), path) }
    try heals("another file") { path, _ in
      try File.replace(path) { try $0.write([Float(1)], shape: [1], to: "/features") }
    }
    try heals("cut") { path, data in try write(data.prefix(data.count / 2), path) }
  }

  @Test("a file with one wrong byte gives the right numbers or none; a cut one gives none")
  func wrongBytes() throws {
    let setup = try Setup()
    let base = try setup.base()
    let expected = try setup.features(base)
    let sample = try base.sampleBuilder(maxLength: 4096).sample(for: setup.row)
    let cache = try setup.cache(of: base)
    let image = FeatureCache.Image(
      digest: SHA256.hex([UInt8](try Data(contentsOf: URL(fileURLWithPath: setup.images[0])))), grid: sample.grids[0])
    let url = URL(fileURLWithPath: cache.path(of: image))
    let valid = [UInt8](try Data(contentsOf: url))
    func read(_ bytes: [UInt8]) throws -> [UInt32]? {
      try Data(bytes).write(to: url)
      return cache.read(
        image, rows: sample.grids[0].tokens(mergeSize: 2), columns: base.configuration.vision.outHiddenSize)?
        .values.map(\.bitPattern)
    }
    #expect(try read(valid) == expected[0])
    var refused = 0
    for place in stride(from: 0, to: valid.count, by: 5) {
      var bytes = valid
      bytes[place] ^= 1 << UInt8(place % 8)
      if let found = try read(bytes) { #expect(found == expected[0], "byte \(place)") } else { refused += 1 }
    }
    // What is left is unused space, which the format fills with zeros.
    #expect(refused * 5 > expected[0].count * 4)
    for count in stride(from: 0, to: valid.count, by: 61) {
      #expect(try read(Array(valid.prefix(count))) == nil, "cut at \(count)")
    }
  }

  @Test("many writers and readers at once: the same bits for all, and nothing but whole files is left")
  func concurrency() throws {
    let setup = try Setup()
    let expected = try setup.features(setup.base(cached: false))
    let bases = try (0..<6).map { _ in try setup.base(memory: 0) }
    let setups = Transferred(setup)
    let right = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: bases.count) { index in
      for _ in 0..<3 where (try? setups.value.features(bases[index])) == expected { right.withLock { $0 += 1 } }
    }
    #expect(right.withLock { $0 } == 18)
    let files = try setup.files()
    #expect(files.count == 2 && files.keys.allSatisfy { $0.hasSuffix(".h5") })
    let warm = try setup.base()
    #expect(try setup.features(warm) == expected && warm.featureStore.tally.read == 2)
  }

  /// A value that threads only read.
  private struct Transferred<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
  }
}

@Suite("Images and folders of the cache")
struct FeatureCacheFolderTests {
  @Test("a folder that cannot be written is refused, with the key")
  func refused() throws {
    let setup = try Setup()
    try Data().write(to: URL(fileURLWithPath: setup.cache))
    let error = #expect(throws: FileError.self) { try setup.base() }
    #expect(error?.description.hasPrefix("model.feature_cache: \(setup.cache): ") == true)
  }

  @Test("a write that fails later is reported once, and the numbers stay")
  func writeFails() throws {
    let setup = try Setup()
    let reported = Mutex<[String]>([])
    let base = try setup.base(memory: 0) { line in reported.withLock { $0.append(line) } }
    let expected = try setup.features(setup.base(cached: false))
    try FileManager.default.removeItem(atPath: setup.cache)
    try Data().write(to: URL(fileURLWithPath: setup.cache))
    for _ in 0..<2 { #expect(try setup.features(base) == expected) }
    let lines = reported.withLock { $0 }
    #expect(lines.count == 1 && lines[0].hasPrefix("model.feature_cache: cannot create \(setup.cache)"), "\(lines)")
  }

  @Test("an image whose features are cached is not decoded, neither when it is checked nor when it is used")
  func notDecoded() throws {
    let setup = try Setup()
    let base = try setup.base()
    let sample = try base.sampleBuilder(maxLength: 4096).sample(for: setup.row)
    // The header stays, the pixels are cut off.
    var bytes = try Data(contentsOf: URL(fileURLWithPath: setup.images[0]))
    bytes.removeLast(bytes.count / 2)
    try bytes.write(to: URL(fileURLWithPath: setup.images[0]))
    #expect(throws: PreprocessingError.self) { try base.featureStore.check(setup.row.images[0]) }
    #expect(throws: SampleError.self) { try setup.features(base) }

    let columns = base.configuration.vision.outHiddenSize
    let made = Matrix<Float>(zeros: sample.grids[0].tokens(mergeSize: 2), columns)
    try setup.cache(of: base).write(
      made, of: FeatureCache.Image(digest: SHA256.hex([UInt8](bytes)), grid: sample.grids[0]))
    #expect(try base.featureStore.check(setup.row.images[0]).isCached)
    #expect(try setup.features(base)[0] == made.values.map(\.bitPattern))
  }

  @Test("with digests known, cached features need no image; one that has changed since is refused")
  func remembered() throws {
    let setup = try Setup()
    let expected = try setup.features(setup.base())
    func checkedBase() throws -> BaseModel {
      let base = try setup.base(memory: 0)
      let checked = try setup.row.images.map { ($0, try base.featureStore.check($0)) }
      base.featureStore.remember(Dictionary(uniqueKeysWithValues: checked))
      return base
    }
    let (warm, changed) = (try checkedBase(), try checkedBase())
    #expect(warm.featureStore.cacheState?.counts.map { [$0.cached, $0.images] } == [2, 2])
    let sample = try warm.sampleBuilder(maxLength: 4096).sample(for: setup.row)
    func features(_ base: BaseModel) throws -> [[UInt32]] {
      try base.featureStore.features(of: setup.row, sample: sample).map { $0.values.map(\.bitPattern) }
    }
    for image in setup.images { try Data([0]).write(to: URL(fileURLWithPath: image)) }
    #expect(try features(warm) == expected)
    for path in try setup.files().keys { try FileManager.default.removeItem(atPath: path) }
    let error = #expect(throws: SampleError.self) { try features(changed) }
    #expect(error?.description.contains("changed while in use, was SHA-256") == true)
  }
}

extension Setup {
  /// The cache that a base of this setup uses.
  fileprivate func cache(of base: BaseModel) throws -> FeatureCache {
    let settings = FeatureStore.Settings(cacheFolder: cache)
    return try FeatureCache(
      folder: cache, baseDigest: base.digest, precision: "fp32",
      conditions: FeatureCache.conditions(
        settings, vision: base.configuration.vision, preprocessor: base.preprocessor, reading: base.reading),
      warn: settings.warn)
  }
}
