// A pack is written beside its name, from start to end, and renamed when all of it is on the disk.
import Digests
import Files
import Foundation
import Glibc
import HDF5

/// What was packed.
package struct PackSummary: Sendable, Equatable {
  /// Examples of the rows, and images under their names.
  package var examples, images: Int
  /// Bytes of all images.
  package var imageBytes: Int
  /// Rows that are no examples, and images that cannot be read, which were left out: a line each.
  package var problems: [String]
}

extension ImagePack {
  /// Writes rows and the bytes of their images into one file. Images inside rows stay there.
  /// - Parameters:
  ///   - reader: reads the rows. Strict, it refuses rows that are no examples and images that cannot be read;
  ///     otherwise such rows are kept as they are, and such images left out.
  ///   - report: takes the bytes of images that are written and all of them, now and then.
  /// - Throws: `DatasetError`, `FileError` or `HDF5Error`; what was at `path` is then still there.
  package static func write(
    _ rows: String, reader: ExampleReader, to path: String, report: (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) throws -> PackSummary {
    let (text, dataset, found) = try reader.imageFiles(of: rows)
    var problems = dataset.problems.map { "\(rows): \($0)" }
    let (images, sizes) = try measured(found, isStrict: reader.policy == .strict, &problems)
    // Two names of one file are two images of the same bytes.
    var starts: [ExactString: Int] = [:]
    var files: [(path: String, size: Int)] = []
    var (offsets, lengths, total): ([Int64], [Int64], Int) = ([], [], 0)
    for (image, size) in zip(images, sizes) {
      if starts[ExactString(image.path)] == nil {
        starts[ExactString(image.path)] = total
        files.append((image.path, size))
        total += size
      }
      offsets.append(Int64(starts[ExactString(image.path)] ?? 0))
      lengths.append(Int64(size))
    }
    let names = images.flatMap { image -> [UInt8] in Array(image.name.utf8) + [0] }
    let output = try PackOutput(
      path, rows: text.count, names: names.count, images: images.count, imageBytes: total)
    do {
      let byPath = try copy(files, total: total, to: output, report)
      let digests = images.flatMap { image -> [UInt8] in byPath[ExactString(image.path)] ?? [] }
      let index = indexDigest(rows: text, names: names, offsets: offsets, lengths: lengths, digests: digests)
      try text.withUnsafeBytes { try output.write($0, to: Path.rows) }
      try names.withUnsafeBytes { try output.write($0, to: Path.names) }
      try offsets.withUnsafeBytes { try output.write($0, to: Path.offsets) }
      try lengths.withUnsafeBytes { try output.write($0, to: Path.lengths) }
      try digests.withUnsafeBytes { try output.write($0, to: Path.digests) }
      try bytes(ofHexadecimal: index).withUnsafeBytes { try output.write($0, to: Path.index) }
      try output.finish()
    } catch {
      output.remove()
      throw error
    }
    return PackSummary(
      examples: dataset.examples.count, images: images.count, imageBytes: total, problems: problems)
  }

  /// The images that can be read, and their sizes in bytes.
  private static func measured(
    _ images: [(name: String, path: String)], isStrict: Bool, _ problems: inout [String]
  ) throws(FileError) -> (images: [(name: String, path: String)], sizes: [Int]) {
    var (kept, sizes): ([(name: String, path: String)], [Int]) = ([], [])
    for image in images {
      do throws(FileError) {
        sizes.append(try size(of: image.path))
        kept.append(image)
      } catch {
        if isStrict { throw error }
        problems.append("\(error)")
      }
    }
    return (kept, sizes)
  }

  private static func size(of image: String) throws(FileError) -> Int {
    var status = stat()
    guard stat(image, &status) == 0 else {
      throw FileError(
        image, "the image cannot be packed", remedy: "check its path and --image-root",
        cause: SystemError.last("stat"))
    }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= maximumImageBytes else {
      throw FileError(image, "is no regular file of at most \(maximumImageBytes) bytes", remedy: "take the row out")
    }
    return Int(status.st_size)
  }

  /// Copies the files one after the other; returns the SHA-256 of each.
  private static func copy(
    _ files: [(path: String, size: Int)], total: Int, to output: PackOutput,
    _ report: (Int, Int) -> Void
  ) throws -> [ExactString: [UInt8]] {
    var digests: [ExactString: [UInt8]] = [:]
    var done = 0
    for file in files {
      let bytes = Array(try readFile(file.path, maximumBytes: maximumImageBytes))
      guard bytes.count == file.size else {
        throw FileError(file.path, "changed while it was packed", remedy: "start again")
      }
      try bytes.withUnsafeBytes { try output.write($0, to: Path.bytes, at: done) }
      digests[ExactString(file.path)] = Self.bytes(ofHexadecimal: SHA256.hex(bytes))
      done += bytes.count
      report(done, total)
    }
    return digests
  }

  private static func bytes(ofHexadecimal text: String) -> [UInt8] {
    let digits = text.utf8.map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

/// The file under its temporary name, its arrays reserved.
private final class PackOutput {
  private let path: String
  private let descriptor: CInt
  private let places: [String: Int]
  private var partial: String { path + ".partial" }

  init(_ path: String, rows: Int, names: Int, images: Int, imageBytes: Int) throws {
    let partial = path + ".partial"
    let datasets = [
      ReservedDataset(ImagePack.Path.rows, .uint8, shape: [rows]),
      ReservedDataset(ImagePack.Path.names, .uint8, shape: [names]),
      ReservedDataset(ImagePack.Path.offsets, .int64, shape: [images]),
      ReservedDataset(ImagePack.Path.lengths, .int64, shape: [images]),
      ReservedDataset(ImagePack.Path.digests, .uint8, shape: [images, 32]),
      ReservedDataset(ImagePack.Path.index, .uint8, shape: [32]),
      ReservedDataset(ImagePack.Path.bytes, .uint8, shape: [imageBytes]),
    ]
    let descriptor = openAlone(partial)
    guard descriptor >= 0 else { throw FileError.unwritable(path, cause: SystemError.last("open")) }
    let starts: [Int]
    do {
      // Before HDF5 writes its few kilobytes, which must not fail; the space is kept for the arrays afterwards.
      try Self.allocate(descriptor, datasets.reduce(1 << 20) { $0 + $1.byteCount }, path)
      starts = try File.reserve(partial, datasets) { file in
        try file.setAttribute("format", to: ImagePack.format)
        try file.setAttribute("schema_version", to: ImagePack.schemaVersion)
      }
      try Self.allocate(descriptor, Int(lseek(descriptor, 0, SEEK_END)), path)
    } catch {
      unlink(partial)
      Glibc.close(descriptor)
      throw error
    }
    (self.path, self.descriptor) = (path, descriptor)
    places = Dictionary(uniqueKeysWithValues: zip(datasets.map(\.path), starts))
  }

  deinit { Glibc.close(descriptor) }

  private static func allocate(_ descriptor: CInt, _ count: Int, _ path: String) throws(FileError) {
    let code = posix_fallocate(descriptor, 0, max(1, count))
    // File systems that cannot promise space find out when it is written.
    guard code == 0 || code == EOPNOTSUPP || code == EINVAL else {
      errno = code
      throw .unwritable(path, cause: SystemError.last("posix_fallocate"))
    }
  }

  /// Writes bytes of a dataset, from byte `start` of it.
  func write(_ bytes: UnsafeRawBufferPointer, to dataset: String, at start: Int = 0) throws(FileError) {
    guard let place = places[dataset] else { preconditionFailure("\(dataset) is not reserved") }
    guard writeAll(bytes, to: descriptor, at: place + start) else {
      throw .unwritable(path, cause: SystemError.last("pwrite"))
    }
  }

  /// Gives the file its name once all of it is on the disk.
  func finish() throws(FileError) {
    guard uninterrupted({ fsync(descriptor) }) == 0 else {
      throw .unwritable(path, cause: SystemError.last("fsync"))
    }
    guard rename(partial, path) == 0 else { throw .unwritable(path, cause: SystemError.last("rename")) }
    try synchronizeFolder(of: path)
  }

  func remove() { unlink(partial) }
}
