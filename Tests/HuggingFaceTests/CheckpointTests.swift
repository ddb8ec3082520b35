// safetensors: valid files, sharded ones, and files with false headers.
import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct CheckpointTests {
  /// A safetensors file of the given header and as many data bytes, 0, 1, 2, ...
  static func file(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
    var count = (length ?? UInt64(header.utf8.count)).littleEndian
    let prefix = withUnsafeBytes(of: &count) { Array($0) }
    return prefix + Array(header.utf8) + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
  }

  /// A header padded to a multiple of eight, as writers do.
  static func padded(_ header: String) -> String {
    header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
  }

  static let header = padded(
    #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#
      + #""b":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},"#
      + #""c":{"dtype":"I64","shape":[0],"data_offsets":[26,26]},"#
      + #""d":{"dtype":"F16","shape":[3],"data_offsets":[26,32]}}"#)

  func folder(_ header: String = header, data: Int = 32, length: UInt64? = nil) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("model.safetensors", Self.file(header, data: data, length: length))
    return folder
  }

  @Test("Tensors lie where the header states; names, shapes and what was not asked for are known")
  func valid() throws {
    let folder = try folder()
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.names == ["a", "b", "c", "d"] && checkpoint.contains("a") && !checkpoint.contains("e"))
    #expect(checkpoint.shape(of: "a") == [2, 3] && checkpoint.shape(of: "e") == nil)
    let a = try checkpoint.tensor("a", shape: [2, 3])
    #expect(a.type == .float32 && a.count == 6 && a.name == "a")
    #expect(a.base.load(fromByteOffset: 23, as: UInt8.self) == 23)
    let b = try checkpoint.tensor("b", shape: [])
    #expect(b.type == .bfloat16 && b.base.load(as: UInt8.self) == 24)
    #expect(checkpoint.unclaimed == ["c", "d"])
  }

  @Test("A tensor outlives its checkpoint")
  func lifetime() throws {
    let folder = try folder()
    let tensor = try Checkpoint(folder: folder.path).tensor("a", shape: [2, 3])
    try FileManager.default.removeItem(atPath: folder.path + "/model.safetensors")
    #expect(tensor.base.load(fromByteOffset: 5, as: UInt8.self) == 5)
  }

  @Test("A missing tensor, another shape and another element type are errors that name tensor and file")
  func mismatches() throws {
    let folder = try folder()
    let checkpoint = try Checkpoint(file: folder.path + "/model.safetensors")
    expectError("no tensor x") { _ = try checkpoint.tensor("x", shape: [1]) }
    expectError("model.safetensors", "tensor a", "[6]", "[2, 3]") { _ = try checkpoint.tensor("a", shape: [6]) }
    expectError("tensor c", "I64") { _ = try checkpoint.tensor("c", shape: [0]) }
    #expect(checkpoint.unclaimed == checkpoint.names)
  }

  @Test("Data that are not aligned to their numbers are refused when asked for, without a trap")
  func misaligned() throws {
    let folder = try folder(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} "#, data: 4)
    #expect((8 + 55) % 4 != 0)
    let checkpoint = try Checkpoint(folder: folder.path)
    expectError("tensor a", "multiple of 4") { _ = try checkpoint.tensor("a", shape: [1]) }
  }

  static func one(_ fields: String) -> String { #"{"a":{"# + fields + "}}" }
  static let a = #""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#

  static let headers: [(header: String, word: String)] = [
    ("", "ends too early"), ("[]", "not a JSON object"), (#"{"a":1}"#, "expected an object"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[0,4]"#), "needs 8 bytes"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[0,12]"#), "truncated"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#), "truncated"),
    (one(#""dtype":"F32","shape":[1],"data_offsets":[4,8]"#), "expected 0"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), "begin and an end"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[-8,0]"#), "data_offsets"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[0]"#), "begin and an end"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[0,1e3]"#), "data_offsets"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]"#), "truncated"),
    (one(#""dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551616]"#), "data_offsets"),
    (one(#""dtype":"F32","shape":[-2],"data_offsets":[0,8]"#), "shape"),
    (one(#""dtype":"F32","shape":[281474976710656,281474976710656],"data_offsets":[0,8]"#), "overflows"),
    (one(#""dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]"#), "shape"),
    (one(#""dtype":"F32","shape":"2","data_offsets":[0,8]"#), "shape"),
    (one(#""dtype":7,"shape":[2],"data_offsets":[0,8]"#), "dtype"),
    (one(#""shape":[2],"data_offsets":[0,8]"#), "dtype"),
    (one(#""dtype":"F32","shape":[1],"data_offsets":[0,4]"#), "accounts for 4"),
    (#"{\#(a),"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "expected 4"),
    (#"{\#(a),"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#, "expected 4"),
    (#"{\#(a),"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "also in"),
    (String(repeating: #"{"a":"#, count: 100_000), "nested deeper"),
  ]

  @Test("Headers that lie", arguments: headers)
  func lies(_ item: (header: String, word: String)) throws {
    let folder = try folder(item.header, data: 8)
    expectError("model.safetensors", item.word) { _ = try Checkpoint(folder: folder.path) }
  }

  @Test("A header's length is not believed", arguments: [UInt64.max, 1 << 63, 1 << 40, 33 << 20, 1000])
  func lengths(_ length: UInt64) throws {
    let folder = try folder("{}", data: 0, length: length)
    expectError("model.safetensors", "states \(length) bytes") { _ = try Checkpoint(folder: folder.path) }
  }

  @Test("A file cut anywhere is refused")
  func truncated() throws {
    let bytes = Self.file(Self.header, data: 32)
    let folder = try TemporaryFolder()
    for count in 0..<bytes.count {
      try folder.write("model.safetensors", Array(bytes.prefix(count)))
      #expect(throws: HuggingFaceError.self) { _ = try Checkpoint(folder: folder.path) }
    }
  }

  static func shard(_ names: [String]) -> [UInt8] {
    let entries = names.enumerated().map {
      #""\#($1)":{"dtype":"F32","shape":[1],"data_offsets":[\#(4 * $0),\#(4 * $0 + 4)]}"#
    }
    return file(padded("{" + entries.joined(separator: ",") + "}"), data: 4 * names.count)
  }

  @Test("Shards join; the digest does not depend on how tensors are spread over them")
  func shards() throws {
    let sharded = try TemporaryFolder([
      "model.safetensors.index.json": #"{"metadata":{},"weight_map":{"x":"1.safetensors","y":"2.safetensors"}}"#
    ])
    try sharded.write("1.safetensors", Self.shard(["x"]))
    try sharded.write("2.safetensors", Self.shard(["y"]))
    let checkpoint = try Checkpoint(folder: sharded.path)
    #expect(checkpoint.names == ["x", "y"])
    let whole = try TemporaryFolder()
    var bytes = Self.shard(["x", "y"])
    bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 1, 2, 3])
    try whole.write("model.safetensors", bytes)
    #expect(try Checkpoint(folder: whole.path).digest == checkpoint.digest)
    bytes[bytes.count - 1] ^= 1
    try whole.write("model.safetensors", bytes)
    #expect(try Checkpoint(folder: whole.path).digest != checkpoint.digest)
  }

  @Test(
    "An index that does not fit its shards is an error that names the tensor",
    arguments: [
      (#"{"weight_map":{"x":"1.safetensors","y":"1.safetensors"}}"#, "weight_map.y"),
      (#"{"weight_map":{"x":"2.safetensors"}}"#, "2.safetensors"),
      (#"{"weight_map":{"x":"../1.safetensors"}}"#, "not a file of the folder"),
      (#"{"weight_map":{"x":3}}"#, "expected a file name"),
      (#"{"weight_map":{"x":"1.safetensors","x":"1.safetensors"}}"#, "given twice"),
      (#"{"weight_map":[]}"#, "weight_map"), ("{}", "weight_map"), ("{", "expected a key"),
      (#"{"weight_map":{"x":"1.safetensors","z":"twice.safetensors"}}"#, "also in"),
    ])
  func wrongIndex(_ index: (String, String)) throws {
    let folder = try TemporaryFolder(["model.safetensors.index.json": index.0])
    try folder.write("1.safetensors", Self.shard(["x"]))
    try folder.write("twice.safetensors", Self.shard(["x", "z"]))
    expectError(index.1) { _ = try Checkpoint(folder: folder.path) }
  }

  @Test("The digest of a large tensor sees its first, middle and last 4 KiB, and all of a small one")
  func digest() throws {
    let count = 20_000
    let header = Self.padded(#"{"a":{"dtype":"F16","shape":[\#(count / 2)],"data_offsets":[0,\#(count)]}}"#)
    let bytes = Self.file(header, data: count)
    let folder = try TemporaryFolder()
    func digest(changing offset: Int?) throws -> String {
      var bytes = bytes
      if let offset { bytes[bytes.count - count + offset] ^= 0xFF }
      try folder.write("model.safetensors", bytes)
      return try Checkpoint(folder: folder.path).digest
    }
    let original = try digest(changing: nil)
    for seen in [0, 4095, 7952, 12047, 15904, 19999] { #expect(try digest(changing: seen) != original) }
    for unseen in [4096, 7951, 12048, 15903] { #expect(try digest(changing: unseen) == original) }
  }
}
