// Vision features on disk, and hidden states that depend on no adapter: a small HDF5 file for each, shared by the ranks
// of a job and by later runs.
import Digests
import Files
import Foundation
import Glibc
import HDF5
import HuggingFace
import Preprocessing
import Synchronization
import Tensors

/// What the cache has a file of.
protocol CachedMatrix: Sendable {
  /// What tells it from others, beside the base and the conditions.
  var lines: [String] { get }
  /// The same as attributes of its file.
  var attributes: [(name: String, value: String)] { get }
  /// The path of its numbers in the file.
  var dataset: String { get }
}

/// A folder of vision features and hidden states, each named by the digest of everything that decides its bits.
///
/// A file is written under a temporary name and then renamed, and two writers of a name write the same numbers. So any
/// number of processes reads and writes at once, without locks. A file that is damaged, or not what its name promises,
/// counts as missing and is written again.
final class FeatureCache: Sendable {
  static let schemaVersion: Int64 = 1

  /// One image as the vision tower reads it.
  struct Image: Hashable, CachedMatrix {
    /// SHA-256 of the image file's bytes.
    let digest: String
    /// How the patches of the resized image lie.
    let grid: GridTHW
    /// The size that its row asks for, from which it is resized.
    let requested: ImageSize?

    init(digest: String, grid: GridTHW, requested: ImageSize? = nil) {
      (self.digest, self.grid, self.requested) = (digest, grid, requested)
    }

    var lines: [String] { ["features \(FeatureCache.schemaVersion)", digest, gridText] }
    var attributes: [(name: String, value: String)] { [("picture_digest", digest), ("grid", gridText)] }
    var dataset: String { "/features" }

    var gridText: String {
      "\(grid.t)x\(grid.h)x\(grid.w)" + (requested.map { " from \($0.width)x\($0.height)" } ?? "")
    }
  }

  /// The folder that the run names.
  let folder: String
  /// Where this base's files lie in it.
  private let directory: String
  private let baseDigest: String
  private let conditions: String
  private let warn: @Sendable (String) -> Void
  private let mayWrite = Mutex(true)
  private let limit: CacheLimit?

  /// Creates the folder if it is missing, and tries to write there.
  /// - Parameters:
  ///   - conditions: everything else that decides the numbers, in words.
  ///   - maximumBytes: of all files of the folder; what was used longest ago is removed beyond it. Nil: no limit.
  ///   - warn: takes one line when a write fails later; nothing more is written then.
  /// - Throws: `FileError`.
  init(
    folder: String, baseDigest: String, precision: String, conditions: String, maximumBytes: Int? = nil,
    warn: @escaping @Sendable (String) -> Void
  ) throws(FileError) {
    self.folder = folder
    limit = maximumBytes.map { CacheLimit(folder: folder, bytes: $0) }
    self.baseDigest = baseDigest
    self.conditions = "\(precision), \(conditions)"
    self.warn = warn
    directory = "\(folder)/\(baseDigest.prefix(16))-\(precision)"
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw .featureCache(folder, "the folder cannot be created", cause: error)
    }
    let probe = Self.temporary(directory + "/probe")
    let descriptor = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw .featureCache(folder, "nothing can be written there", cause: SystemError.last("open"))
    }
    close(descriptor)
    unlink(probe)
  }

  /// A name that no other process or thread uses.
  private static func temporary(_ path: String) -> String {
    "\(path).\(String(UInt64.random(in: 0 ... .max), radix: 16)).partial"
  }

  /// The file of a matrix.
  func path(of item: some CachedMatrix) -> String {
    let key = (item.lines + [baseDigest, conditions]).joined(separator: "\n")
    return "\(directory)/\(SHA256.hex(key)).h5"
  }

  /// Whether there is a file of this matrix; it may turn out to be damaged.
  func contains(_ item: some CachedMatrix) -> Bool {
    var status = stat()
    return stat(path(of: item), &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_size > 0
  }

  /// A matrix, `[rows, columns]`; nil if no valid file holds it.
  func read(_ item: some CachedMatrix, rows: Int, columns: Int) -> Matrix<Float>? {
    guard contains(item) else { return nil }
    do {
      // Nothing of a file is parsed before its seal holds.
      guard try Seal.check(path(of: item)) == .valid else { return nil }
      let file = try File.open(path(of: item))
      guard try file.attribute("schema_version", as: Int64.self) == Self.schemaVersion else { return nil }
      for (name, value) in attributes(of: item) {
        guard try file.attribute(name, as: String.self) == value else { return nil }
      }
      limit?.used(path(of: item))
      return Matrix(
        try file.read(Float.self, from: item.dataset, shape: [rows, columns]), rows: rows, columns: columns)
    } catch { return nil }
  }

  /// Writes a matrix, unless an earlier write failed.
  func write(_ matrix: Matrix<Float>, of item: some CachedMatrix) {
    guard mayWrite.withLock({ $0 }) else { return }
    let (path, values) = (path(of: item), matrix.values)
    do {
      try File.replace(path, partial: Self.temporary(path), sealed: { try Seal.append(to: $0) }) { file in
        try file.setAttribute("schema_version", to: Self.schemaVersion)
        for (name, value) in attributes(of: item) { try file.setAttribute(name, to: value) }
        try file.write(values, shape: [matrix.rows, matrix.columns], to: item.dataset, filters: [.fletcher32])
      }
      limit?.wrote(path)
    } catch {
      let isFirst = mayWrite.withLock { mayWrite in
        defer { mayWrite = false }
        return mayWrite
      }
      if isFirst { warn("model.feature_cache: \(error); the run continues and caches nothing more there") }
    }
  }

  /// Everything but the image and the weights that decides the bits of features, one thing a line.
  /// - Throws: `FileError` where the running program cannot be read.
  static func conditions(
    _ settings: FeatureStore.Settings, vision: VisionConfiguration, preprocessor: PreprocessorConfiguration,
    reading: ImageReading
  ) throws(FileError) -> String {
    // An image's grid already follows from the limits.
    var preprocessor = preprocessor
    (preprocessor.minPixels, preprocessor.maxPixels) = (0, 0)
    // Another version or build of the program may round otherwise.
    guard let program = RunningProgram.digest else {
      throw .featureCache(
        settings.cacheFolder ?? "", "this program cannot be identified: /proc/self/exe is unreadable")
    }
    return [
      "threads \(settings.threads)", "\(vision)", "\(preprocessor)",
      "transparency \(reading.transparency.rawValue), exif_orientation \(reading.exifOrientation.rawValue)",
      mathLibrary, "program \(program)",
    ].joined(separator: "\n")
  }

  private func attributes(of item: some CachedMatrix) -> [(name: String, value: String)] {
    item.attributes + [("base_digest", baseDigest), ("conditions", conditions)]
  }
}

extension FileError {
  /// A folder that features cannot be cached in.
  fileprivate static func featureCache(_ folder: String, _ problem: String, cause: (any Error)? = nil) -> FileError {
    FileError(
      "model.feature_cache: \(folder)", problem, remedy: "name a folder that can be written, or leave the key out",
      cause: cause)
  }
}
