// Weights that are written to, replaced or cut while they are mapped, and the digest over all of their bytes.
import Files
import Foundation
import Glibc
import TestSupport
import Testing

@testable import HuggingFace

@Suite("Weights that change while they are in use")
struct ChangedFileTests {
  let folder: TemporaryFolder
  var path: String { folder.path("model.safetensors") }

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("model.safetensors", Self.file)
  }

  static let file: [UInt8] = {
    let header = CheckpointTests.padded(#"{"a":{"dtype":"F32","shape":[256,64],"data_offsets":[0,65536]}}"#)
    return CheckpointTests.file(header, data: 65_536)
  }()

  /// Writes one byte in place, as a copy onto the file would.
  private func overwrite(at offset: Int) throws {
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: [0xEE])
    try file.close()
  }

  private func setTime(of earlier: stat) {
    var times = [earlier.st_atim, earlier.st_mtim]
    #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
  }

  @Test("overwritten, overwritten with its time set back, grown and cut: refused with the file's name")
  func written() throws {
    let changes: [(String, () throws -> Void)] = [
      ("while", { try overwrite(at: 40_000) }),
      (
        "while",
        {
          var earlier = stat()
          #expect(stat(path, &earlier) == 0)
          try overwrite(at: 40_000)
          setTime(of: earlier)
        }
      ),
      ("and has \(Self.file.count + 8)", { #expect(truncate(path, Self.file.count + 8) == 0) }),
      ("and has 100", { #expect(truncate(path, 100) == 0) }),
    ]
    for (words, change) in changes {
      try folder.write("model.safetensors", Self.file)
      let checkpoint = try Checkpoint(folder: folder.path)
      try checkpoint.requireUnchanged()
      // Times count in ticks of the system's clock.
      usleep(20_000)
      try change()
      let said = line { try checkpoint.requireUnchanged() }
      #expect(said.hasPrefix("\(path): changed while it was in use") && said.contains(words), "\(said)")
      #expect(said.contains("restore it, then start again") && !said.contains("\n"), "\(said)")
    }
  }

  @Test("other names and permissions, and another file under the same name, leave the mapped bytes as they are")
  func renamed() throws {
    let checkpoint = try Checkpoint(folder: folder.path)
    usleep(20_000)
    #expect(chmod(path, 0o444) == 0)
    try checkpoint.requireUnchanged()
    #expect(link(path, folder.path("second.safetensors")) == 0)
    try checkpoint.requireUnchanged()
    try folder.write("other", Array(Self.file.reversed()))
    #expect(rename(folder.path("other"), path) == 0)
    try checkpoint.requireUnchanged()
    try FileManager.default.removeItem(atPath: folder.path("second.safetensors"))
    try checkpoint.requireUnchanged()
    #expect(try checkpoint.tensor("a", shape: [256, 64]).base.load(fromByteOffset: 7, as: UInt8.self) == 7)
  }

  /// The child maps the file, cuts it and reads behind its new end.
  @Test("a cut file ends the process with one line and status 1")
  func cut() async throws {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      let folder = try TemporaryFolder()
      try folder.write("model.safetensors", ChangedFileTests.file)
      CutFiles.report()
      let checkpoint = try Checkpoint(folder: folder.path)
      let tensor = try checkpoint.tensor("a", shape: [256, 64])
      truncate(folder.path("model.safetensors"), 100)
      let last = tensor.base.load(fromByteOffset: 65_535, as: UInt8.self)
      print("read \(last)")
    }
    let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(
      said.hasPrefix("imagelora: /") && said.hasSuffix("\n") && said.dropLast().firstIndex(of: "\n") == nil, "\(said)")
    #expect(said.contains("model.safetensors: was cut while it was in use; restore it, then start again"), "\(said)")
  }

  /// What other code maps is none of this module's files.
  @Test("another SIGBUS has its own way")
  func otherMappings() async throws {
    await #expect(processExitsWith: .signal(SIGBUS)) {
      let folder = try TemporaryFolder()
      try folder.write("x", [UInt8](repeating: 1, count: 8192))
      CutFiles.report()
      // One that is mapped no more counts no more.
      _ = try MappedFile(path: folder.path("x")).copy()
      let descriptor = open(folder.path("x"), O_RDWR)
      let start = mmap(nil, 8192, PROT_READ, MAP_SHARED, descriptor, 0)
      ftruncate(descriptor, 0)
      print("read \(start?.load(fromByteOffset: 5000, as: UInt8.self) ?? 0)")
    }
  }

  @Test("the full digest sees every byte, and is kept until a file changes")
  func fullDigest() throws {
    let checkpoint = try Checkpoint(folder: folder.path)
    var read: [Int] = []
    let digest = checkpoint.fullDigest { read.append($0) }
    #expect(read == [65_536] && digest.count == 64)
    #expect(FullDigest.kept(of: checkpoint, folder: folder.path) == nil)
    let kept = try #require(FullDigest.keep(digest, of: checkpoint, folder: folder.path))
    #expect(kept == folder.path("imagelora_digest.json"))
    #expect(FullDigest.kept(of: checkpoint, folder: folder.path) == digest)
    #expect(try FullDigest.kept(of: Checkpoint(folder: folder.path), folder: folder.path) == digest)

    // A damaged document is none; one flipped bit cannot make another digest.
    let document = try bytes(of: kept)
    for index in document.indices {
      var damaged = document
      damaged[index] ^= 1
      try folder.write("imagelora_digest.json", damaged)
      let found = FullDigest.kept(of: checkpoint, folder: folder.path)
      #expect(found == nil || found == digest, "byte \(index)")
    }
    try folder.write("imagelora_digest.json", document)

    // The sample of `digest` has neither of these bytes.
    usleep(20_000)
    let header = Self.file.count - 65_536
    for offset in [10_000, 50_000] {
      let before = try Checkpoint(folder: folder.path)
      let (sampled, full) = (before.digest, before.fullDigest())
      try overwrite(at: header + offset)
      let after = try Checkpoint(folder: folder.path)
      #expect(after.digest == sampled && after.fullDigest() != full)
      #expect(FullDigest.kept(of: after, folder: folder.path) == nil)
    }
  }

  @Test("the full digest does not depend on how tensors are spread over files, and goes with no copy of the model")
  func spread() throws {
    func tensor(_ name: String, _ value: UInt8) -> (header: String, data: [UInt8]) {
      (#""\#(name)":{"dtype":"F32","shape":[2],"data_offsets":"#, [UInt8](repeating: value, count: 8))
    }
    func file(_ tensors: [(header: String, data: [UInt8])]) -> [UInt8] {
      let members = tensors.enumerated().map { "\($1.header)[\($0 * 8),\($0 * 8 + 8)]}" }.joined(separator: ",")
      let header = CheckpointTests.padded("{\(members)}")
      return CheckpointTests.file(header, data: 0) + tensors.flatMap(\.data)
    }
    let (a, b) = (tensor("a", 1), tensor("b", 2))
    let whole = try TemporaryFolder()
    try whole.write("model.safetensors", file([a, b]))
    let shards = try TemporaryFolder([
      "model.safetensors.index.json": #"{"weight_map": {"a": "2.safetensors", "b": "1.safetensors"}}"#
    ])
    try shards.write("1.safetensors", file([b]))
    try shards.write("2.safetensors", file([a]))
    let (one, two) = (try Checkpoint(folder: whole.path), try Checkpoint(folder: shards.path))
    #expect(one.fullDigest() == two.fullDigest())
    _ = FullDigest.keep(two.fullDigest(), of: two, folder: shards.path)
    #expect(FullDigest.kept(of: two, folder: shards.path) != nil)
    let copy = try TemporaryFolder()
    try ModelFolderCopy.write(from: shards.path, to: copy.path) { _ in nil }
    #expect(copy.names == ["1.safetensors", "2.safetensors", "model.safetensors.index.json"])
    #expect(try FullDigest.kept(of: Checkpoint(folder: copy.path), folder: copy.path) == nil)
  }
}
