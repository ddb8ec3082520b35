// A pack is written beside its name, from start to end, and renamed when all of it is on the disk. What a kill left
// there is gone on with.
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
  /// Files of images that an attempt before, which was killed, had written.
  package var kept: Int
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
    let (images, states) = try measured(found, isStrict: reader.policy == .strict, &problems)
    // Two names of one file are two images of the same bytes.
    var sources: [ExactString: Int] = [:]
    var files: [SourceFile] = []
    var (offsets, lengths, total): ([Int64], [Int64], Int) = ([], [], 0)
    for (number, (image, state)) in zip(images, states).enumerated() {
      let source = sources[ExactString(image.path)] ?? files.count
      if source == files.count {
        sources[ExactString(image.path)] = source
        files.append(SourceFile(path: image.path, state: state, image: number, start: total))
        total += state.size
      }
      offsets.append(Int64(files[source].start))
      lengths.append(Int64(files[source].state.size))
    }
    let names = images.flatMap { image -> [UInt8] in Array(image.name.utf8) + [0] }
    let output = try PackOutput(
      path, rows: text.count, names: names.count, images: images.count, imageBytes: total,
      of: origin(rows: text, names: names, files))
    do {
      let (copied, kept) = try copy(files, total: total, to: output, report)
      let digests = images.flatMap { image in sources[ExactString(image.path)].map { copied[$0] } ?? [] }
      let index = indexDigest(rows: text, names: names, offsets: offsets, lengths: lengths, digests: digests)
      try text.withUnsafeBytes { try output.write($0, to: Path.rows) }
      try names.withUnsafeBytes { try output.write($0, to: Path.names) }
      try offsets.withUnsafeBytes { try output.write($0, to: Path.offsets) }
      try lengths.withUnsafeBytes { try output.write($0, to: Path.lengths) }
      try digests.withUnsafeBytes { try output.write($0, to: Path.digests) }
      try bytes(ofHexadecimal: index).withUnsafeBytes { try output.write($0, to: Path.index) }
      try output.finish()
      return PackSummary(
        examples: dataset.examples.count, images: images.count, imageBytes: total, kept: kept, problems: problems)
    } catch {
      output.remove()
      throw error
    }
  }

  /// A file of image bytes.
  private struct SourceFile {
    let path: String
    let state: FileIdentity
    /// The first image that has its bytes, and where they begin among those of all images.
    let image, start: Int
  }

  /// SHA-256 of what decides every byte of a pack: the rows, the images' names, and the state of each file.
  private static func origin(rows: [UInt8], names: [UInt8], _ files: [SourceFile]) -> [UInt8] {
    var digest = SHA256()
    for bytes in [rows, names] {
      digest.update("\(bytes.count)\n")
      bytes.withUnsafeBytes { digest.update($0) }
    }
    for file in files {
      let state = file.state
      digest.update(
        "\(file.path.utf8.count) \(file.path) \(state.size) \(state.device) \(state.inode) \(state.modified) \(state.changed)\n"
      )
    }
    return bytes(ofHexadecimal: digest.finish())
  }

  /// The images that can be read, and the states of their files.
  private static func measured(
    _ images: [(name: String, path: String)], isStrict: Bool, _ problems: inout [String]
  ) throws(FileError) -> (images: [(name: String, path: String)], states: [FileIdentity]) {
    var (kept, states): ([(name: String, path: String)], [FileIdentity]) = ([], [])
    for image in images {
      do throws(FileError) {
        states.append(try state(of: image.path))
        kept.append(image)
      } catch {
        if isStrict { throw error }
        problems.append("\(error)")
      }
    }
    return (kept, states)
  }

  private static func state(of image: String) throws(FileError) -> FileIdentity {
    let state: FileIdentity
    do { state = try FileIdentity(path: image) } catch {
      throw FileError(
        image, "the image cannot be packed", remedy: "check its path and --image-root", cause: error)
    }
    guard state.isRegular, state.size <= maximumImageBytes else {
      throw FileError(image, "is no regular file of at most \(maximumImageBytes) bytes", remedy: "take the row out")
    }
    return state
  }

  /// Copies the files one after the other, those that are there already excepted; returns the SHA-256 of each, and how
  /// many were there.
  private static func copy(
    _ files: [SourceFile], total: Int, to output: PackOutput, _ report: (Int, Int) -> Void
  ) throws -> (digests: [[UInt8]], kept: Int) {
    var kept = 0
    let digests = try files.map { file in
      defer { report(file.start + file.state.size, total) }
      if let digest = output.digest(ofImage: file.image, at: file.start, count: file.state.size) {
        kept += 1
        return digest
      }
      let bytes = Array(try readFile(file.path, maximumBytes: maximumImageBytes))
      guard bytes.count == file.state.size else {
        throw FileError(file.path, "changed while it was packed", remedy: "start again")
      }
      try bytes.withUnsafeBytes { try output.write($0, to: Path.bytes, at: file.start) }
      let digest = Self.bytes(ofHexadecimal: SHA256.hex(bytes))
      try digest.withUnsafeBytes { try output.write($0, to: Path.digests, at: 32 * file.image) }
      return digest
    }
    return (digests, kept)
  }

  private static func bytes(ofHexadecimal text: String) -> [UInt8] {
    let digits = text.utf8.map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

/// The file under its temporary name, its arrays reserved. Until it is finished, the digest of its index is that of
/// what it is made of.
private final class PackOutput {
  private let path: String
  private let descriptor: CInt
  private let places: [String: Int]
  /// Whether an attempt before has left it.
  private let wasThere: Bool
  private var partial: String { path + ".partial" }

  init(_ path: String, rows: Int, names: Int, images: Int, imageBytes: Int, of origin: [UInt8]) throws {
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
    let descriptor = openAlone(partial, keepsBytes: true)
    guard descriptor >= 0 else { throw FileError.unwritable(path, cause: SystemError.last("open")) }
    let there = Self.started(partial, datasets, of: origin, descriptor)
    let starts: [Int]
    do { starts = try there ?? Self.reserve(partial, datasets, descriptor, path) } catch {
      unlink(partial)
      Glibc.close(descriptor)
      throw error
    }
    (self.path, self.descriptor, wasThere) = (path, descriptor, there != nil)
    places = Dictionary(uniqueKeysWithValues: zip(datasets.map(\.path), starts))
    do { try origin.withUnsafeBytes { try write($0, to: ImagePack.Path.index) } } catch {
      remove()
      throw error
    }
  }

  /// Where the arrays are in a file that an attempt before has left, if it was made of the same.
  private static func started(
    _ partial: String, _ datasets: [ReservedDataset], of origin: [UInt8], _ descriptor: CInt
  ) -> [Int]? {
    guard let starts = try? File.places(of: datasets, in: partial),
      let index = zip(datasets, starts).first(where: { $0.0.path == ImagePack.Path.index })?.1,
      (try? readBytes(index..<index + origin.count, of: descriptor)) == origin
    else { return nil }
    return starts
  }

  private static func reserve(
    _ partial: String, _ datasets: [ReservedDataset], _ descriptor: CInt, _ path: String
  ) throws -> [Int] {
    guard uninterrupted({ ftruncate(descriptor, 0) }) == 0 else {
      throw FileError.unwritable(path, cause: SystemError.last("ftruncate"))
    }
    // Before HDF5 writes its few kilobytes, which must not fail; the space is kept for the arrays afterwards.
    try allocate(descriptor, datasets.reduce(1 << 20) { $0 + $1.byteCount }, path)
    let starts = try File.reserve(partial, datasets) { file in
      try file.setAttribute("format", to: ImagePack.format)
      try file.setAttribute("schema_version", to: ImagePack.schemaVersion)
    }
    try allocate(descriptor, Int(lseek(descriptor, 0, SEEK_END)), path)
    return starts
  }

  /// The digest of an image that an attempt before has written whole; nil for one that it has not.
  func digest(ofImage image: Int, at start: Int, count: Int) -> [UInt8]? {
    guard wasThere, let digests = places[ImagePack.Path.digests], let images = places[ImagePack.Path.bytes],
      let stated = try? readBytes(digests + 32 * image..<digests + 32 * (image + 1), of: descriptor),
      stated.contains(where: { $0 != 0 }),
      let bytes = try? readBytes(images + start..<images + start + count, of: descriptor),
      hexadecimal(stated[...]) == SHA256.hex(bytes)
    else { return nil }
    return stated
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
