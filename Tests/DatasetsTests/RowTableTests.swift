// Rows held as text: each gives the example that the first reading gave.
import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Rows held as text")
struct RowTableTests {
  private static func row(_ id: String) -> String {
    #"{"id": "\#(id)", "messages": [{"role": "user", "content": "ü"}, {"role": "assistant", "content": "\#(id)"}]}"#
  }
  private static let rows = ["a", "b", "c"].map(row)

  static let texts: [String: [UInt8]] = [
    "lines": Array(("\n" + rows.joined(separator: "\r\n \n") + "\nbad").utf8),
    "array": Array("[\(rows.joined(separator: "\n,")), 5]".utf8),
    "marked": [0xEF, 0xBB, 0xBF] + Array(rows.joined(separator: "\n").utf8),
    "gzip": Array(gzipped(Array(rows.joined(separator: "\n").utf8))),
    "zstd": Array(zstandard(Array("[\(rows.joined(separator: ","))]".utf8))),
  ]

  @Test("Every form of file", arguments: texts.keys.sorted(), [ExampleIDs.own, .line])
  func forms(name: String, ids: ExampleIDs) throws {
    let folder = try TemporaryFolder()
    try folder.write(name, try #require(Self.texts[name]))
    let files = ExampleFiles(folder.path(name), reader: ExampleReader(policy: .skip, ids: ids))
    let (opened, set) = (try files.open(), try files.read())
    #expect(set.examples.count == 3 && set.rows.count == 3)
    #expect(try set.rows.map(set.table.example) == set.examples)
    let isCompressed = ["gzip", "zstd"].contains(name)
    #expect((opened.digest == nil) == isCompressed)
    guard !isCompressed else { return }
    #expect(try set.rows.map(opened.table.example) == set.examples)
    for place in [
      RowPlace(start: -1, count: 1, line: 1, number: 1), RowPlace(start: .max, count: 1, line: 1, number: 1),
      RowPlace(start: 0, count: .max, line: 1, number: 1), RowPlace(file: 1, start: 0, count: 1, line: 1, number: 1),
      RowPlace(start: 1, count: 1, line: 1, number: 1),
    ] {
      #expect(throws: ExampleProblem.self) { try opened.table.example(place) }
    }
  }

  @Test("Several files, one side of a split")
  func split() throws {
    let folder = try TemporaryFolder()
    let names = ["x", "y"]
    for name in names {
      try folder.write(name, Array((0..<20).map { Self.row("\(name)\($0)") }.joined(separator: "\n").utf8))
    }
    var digests: Set<String> = []
    for side in [ExampleSplit.Side.training, .validation] {
      let files = ExampleFiles(
        names.map { ExampleFile(path: folder.path($0), name: $0, weight: 2, imageRoot: ".") }, reader: ExampleReader(),
        split: ExampleSplit(fraction: 0.5, seed: 1, side: side))
      let set = try files.read()
      #expect(try set.rows.map(set.table.example) == set.examples && set.examples.contains { $0.id.hasPrefix("y:") })
      digests.insert(try #require(try files.open().digest))
    }
    #expect(digests.count == 2)
  }

  @Test("A pack has a digest of its images")
  func containers() throws {
    let pack = URL(filePath: #filePath).deletingLastPathComponent().path + "/Resources/h5py-pack.h5"
    let files = ExampleFiles(pack, reader: ExampleReader())
    let (opened, set) = (try files.open(), try files.read())
    #expect(try opened.digest != nil && set.rows.map(opened.table.example) == set.examples)
  }
}
