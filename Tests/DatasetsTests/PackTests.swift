// Rows and images in one file: the same examples and bytes as loose ones, damage found, other programs' files read.
import Digests
import Files
import Foundation
import HDF5
import TestSupport
import Testing

@testable import Datasets

@Suite("Packs of rows and images")
struct PackTests {
  private let folder: TemporaryFolder
  private var pack: String { folder.path("data.h5") }

  private static func row(_ id: String, _ images: [String]) -> String {
    let listed = images.map { "\"\($0)\"" }.joined(separator: ", ")
    let places = images.map { _ in "<image>" }.joined()
    return #"{"id": "\#(id)", "images": [\#(listed)], "messages": [{"role": "user", "content": "\#(places)?"}, "#
      + #"{"role": "assistant", "content": "x"}]}"#
  }

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder.path("sub"), withIntermediateDirectories: true)
    for (name, bytes) in [("a.png", [1, 2, 3]), ("sub/b.png", [4, 5]), ("ü.png", [6]), ("empty.png", [])] {
      try folder.write(name, bytes.map(UInt8.init))
    }
    let rows = [
      Self.row("1", ["a.png", "sub/b.png"]), Self.row("2", []), Self.row("3", ["ü.png"]), Self.row("4", ["a.png"]),
      Self.row("5", ["data:image/png;base64,AAAA", folder.path("a.png"), "file://" + folder.path("sub/b.png")]),
      Self.row("6", ["empty.png"]),
    ]
    try folder.write("rows.jsonl", Array(rows.joined(separator: "\r\n\n").utf8))
  }

  private var reader: ExampleReader { ExampleReader(imageRoot: folder.path, confined: true) }

  @discardableResult
  private func write(_ reader: ExampleReader? = nil, _ rows: String = "rows.jsonl") throws -> PackSummary {
    try ImagePack.write(folder.path(rows), reader: reader ?? self.reader, to: pack)
  }

  private func bytes(_ source: ImageSource) throws -> [UInt8] {
    switch source.address {
    case .file(let path): try TestSupport.bytes(of: path.text)
    case .inline(let bytes): bytes
    case .packed(let image): try image.bytes()
    }
  }

  @Test("examples, their digest and their images' bytes and sharing are those of the loose files")
  func roundTrip() throws {
    let summary = try write()
    #expect(summary == PackSummary(examples: 6, images: 6, imageBytes: 6, kept: 0, problems: []))
    #expect(folder.names == ["a.png", "data.h5", "empty.png", "rows.jsonl", "sub", "ü.png"])
    let loose = try reader.read(folder.path("rows.jsonl"))
    let packed = try ExampleReader(imageRoot: "/nowhere", confined: true).read(pack)
    #expect(packed.digest == loose.digest && packed.problems.isEmpty)
    #expect(packed.examples.map(\.id) == loose.examples.map(\.id))
    #expect(packed.examples.map(\.line) == loose.examples.map(\.line))
    #expect(packed.examples.map(\.messages) == loose.examples.map(\.messages))
    let (a, b) = (loose.examples.flatMap(\.images), packed.examples.flatMap(\.images))
    #expect(try a.map(bytes) == b.map(bytes))
    for i in a.indices { for j in a.indices { #expect((a[i] == a[j]) == (b[i] == b[j]), "\(i), \(j)") } }
    // An absolute path names the same file; as loose, it is the same image where the texts of the paths are.
    #expect(b[0] == b[3] && b[0] == b[5] && b[1] == b[6])
  }

  @Test("packing twice gives the same bytes")
  func sameBytes() throws {
    try write()
    let first = try TestSupport.bytes(of: pack)
    try write()
    #expect(try TestSupport.bytes(of: pack) == first)
  }

  /// What reading everything of the pack gives; nil where it is refused.
  private func contents() throws -> (digest: String, images: [[UInt8]])? {
    do {
      let set = try ExampleReader(policy: .skip).read(pack)
      return (set.digest, try set.examples.flatMap(\.images).map(bytes))
    } catch {
      #expect(error is DatasetError || error is FileError, "\(error)")
      #expect(!"\(error)".contains("\n"))
      return nil
    }
  }

  @Test("a pack whose first bytes are damaged is not read as rows, also where bad rows are left out")
  func damagedSignature() throws {
    try write()
    var damaged = try TestSupport.bytes(of: pack)
    damaged[1] ^= 1
    try folder.write("data.h5", damaged)
    #expect(
      line { _ = try ExampleReader(policy: .skip).read(pack) }
        == "\(pack): cannot be read: it is no text; give rows, or a pack whose beginning is not damaged")
  }

  @Test("every flipped bit is found when the pack is opened or the image is read, or changes nothing")
  func flippedBits() throws {
    try write()
    let sound = try TestSupport.bytes(of: pack)
    let expected = try #require(try contents())
    var refused = 0
    for index in sound.indices {
      var flipped = sound
      flipped[index] ^= 1 << (index % 8)
      try folder.write("data.h5", flipped)
      guard let found = try contents() else {
        refused += 1
        continue
      }
      #expect(found.digest == expected.digest && found.images == expected.images, "byte \(index)")
    }
    #expect(refused > 1000)
  }

  @Test("every cut is refused")
  func cuts() throws {
    try write()
    let sound = try TestSupport.bytes(of: pack)
    for count in sound.indices {
      try folder.write("data.h5", Array(sound[..<count]))
      #expect(try contents() == nil, "cut to \(count)")
    }
  }

  @Test("an image that is changed after the pack is opened is refused by name")
  func changedImage() throws {
    try write()
    var changed = try TestSupport.bytes(of: pack)
    let set = try ExampleReader().read(pack)
    let place = try #require(changed.indices.last { changed[$0...].starts(with: [1, 2, 3, 4, 5, 6]) })
    changed[place + 4] ^= 1
    try folder.write("data.h5", changed)
    #expect(try bytes(set.examples[0].images[0]) == [1, 2, 3])
    #expect(
      line { _ = try bytes(set.examples[0].images[1]) }
        == #"\#(pack): the bytes of image "sub/b.png" are not those that were packed; pack the rows again"#)
    // Its header is read unchecked: the size of an image that is not used wrongly.
    guard case .packed(let image) = set.examples[0].images[1].address else { throw CocoaError(.coderInvalidValue) }
    #expect(try image.bytes(first: 1) == [4])
  }

  @Test("bad rows and missing images: refused, or left as they are")
  func badRows() throws {
    let rows = [Self.row("1", ["a.png"]), "{", Self.row("3", ["none.png"]), Self.row("4", ["../out.png"])]
    try folder.write("bad.jsonl", Array(rows.joined(separator: "\n").utf8))
    #expect(throws: DatasetError.self) { try write(reader, "bad.jsonl") }
    let missing = [Self.row("3", ["none.png"])]
    try folder.write("missing.jsonl", Array(missing.joined(separator: "\n").utf8))
    #expect(
      line { try write(reader, "missing.jsonl") }
        == "\(folder.path)/none.png: the image cannot be packed: No such file or directory (stat); check its path and "
        + "--image-root")
    #expect(!FileManager.default.fileExists(atPath: pack))
    let skipping = ExampleReader(imageRoot: folder.path, confined: true, policy: .skip)
    let summary = try write(skipping, "bad.jsonl")
    #expect(summary.images == 1 && summary.problems.count == 3)
    let set = try ExampleReader(policy: .skip).read(pack)
    #expect(set.examples.map(\.id) == ["1"] && set.problems.map(\.line) == [2, 3, 4])
    #expect(set.problems[1].reason == #"image "none.png" is not in the pack; pack the rows again"#)
  }

  @Test("a write that fails leaves what was there and nothing else")
  func failedWrite() throws {
    try folder.write("data.h5", [1])
    #expect(throws: (any Error).self) { try write(reader, "none.jsonl") }
    #expect(try TestSupport.bytes(of: pack) == [1])
    #expect(throws: FileError.self) {
      try ImagePack.write(folder.path("rows.jsonl"), reader: reader, to: folder.path("none/data.h5"))
    }
    try folder.write("data.h5.partial", [1, 2])
    try write()
    #expect(try ExampleReader().read(pack).examples.count == 6)
    #expect(!folder.names.contains("data.h5.partial"))
  }

  @Test("values of an index that cannot be true are refused, each in its words")
  func wrongIndex() throws {
    let text = Array(Self.row("1", ["a.png"]).utf8)
    func refusal(
      names: [UInt8] = Array("a.png\0".utf8), offsets: [Int64] = [0], lengths: [Int64] = [3], version: Int64 = 1
    ) throws -> String {
      let digests = [UInt8](repeating: 7, count: 32 * offsets.count)
      let index = ImagePack.indexDigest(
        rows: text, names: names, offsets: offsets, lengths: lengths, digests: digests)
      let file = try File.create(pack)
      try file.setAttribute("format", to: "imagelora-pack")
      try file.setAttribute("schema_version", to: version)
      try file.write(text, shape: [text.count], to: "/rows")
      try file.write([1, 2, 3] as [UInt8], shape: [3], to: "/images/bytes")
      try file.write(names, shape: [names.count], to: "/images/names")
      try file.write(offsets, shape: [offsets.count], to: "/images/offsets")
      try file.write(lengths, shape: [lengths.count], to: "/images/lengths")
      try file.write(digests, shape: [offsets.count, 32], to: "/images/sha256")
      let pairs = stride(from: 0, to: 64, by: 2).map { UInt8(index.dropFirst($0).prefix(2), radix: 16) ?? 0 }
      try file.write(pairs, shape: [32], to: "/index_sha256")
      try file.close()
      return line { _ = try ImagePack.open(pack) }
    }
    #expect(try refusal() == "nothing thrown")
    #expect(try refusal(lengths: [4]).contains("image 0 lies outside of /images/bytes"))
    #expect(try refusal(offsets: [-1]).contains("image 0 lies outside"))
    #expect(try refusal(offsets: [.max], lengths: [.max]).contains("image 0 lies outside"))
    #expect(try refusal(names: Array("a\0b\0".utf8)).contains("has 2 names of 1 images"))
    #expect(try refusal(names: [0xFF, 0]).contains("the name of image 0 is not UTF-8"))
    #expect(
      try refusal(names: Array("a\0a\0".utf8), offsets: [0, 0], lengths: [1, 1]).contains("two images of the name"))
    #expect(try refusal(lengths: [3, 3]).contains("shape"))
    #expect(try refusal(version: 2).contains("is a pack of version 2, only version 1 is read"))
    #expect(try !refusal().contains("\n"))
  }

  @Test("a pack that h5py wrote is read")
  func ofH5py() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/Resources/h5py-pack.h5"
    let set = try ExampleReader().read(path)
    #expect(set.examples.map(\.id) == ["1", "2"])
    #expect(try set.examples.flatMap(\.images).map(bytes) == [[1, 2, 3], [4, 5], [1, 2, 3]])
  }

  @Test("other HDF5 files, folders and pipes are refused in a line")
  func otherFiles() throws {
    let file = try File.create(pack)
    try file.close()
    #expect(
      line { _ = try ExampleReader().read(pack) }
        == "\(pack): is an HDF5 file but no pack; give rows, or what imagelora pack has written")
    #expect(!ImagePack.isHDF5(folder.path) && !ImagePack.isHDF5(folder.path("none")))
    mkfifo(folder.path("pipe"), 0o600)
    #expect(!ImagePack.isHDF5(folder.path("pipe")))
  }
}
