// Several files of examples: names, digests and parts; and a split by image that more rows do not move.
import Files
import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Several files of examples")
struct ExampleFilesTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try write("a", ["1", "2"])
    try write("b", ["1", "bad/"])
  }

  private func write(_ name: String, _ ids: [String]) throws {
    let rows = ids.map {
      #"{"id":"\#($0)","_n":1,"image":"x.png","messages":[{"role":"user","content":"<image>u"}]}"#
    }
    try folder.write(name, Array(rows.joined(separator: "\n").utf8))
  }

  private func files(_ files: [(String, Double)], root: String = "/r") -> ExampleFiles {
    ExampleFiles(
      files.map {
        ExampleFile(path: folder.path($0.0), name: files.count > 1 ? $0.0 : "", weight: $0.1, imageRoot: root)
      },
      reader: ExampleReader(policy: .skip))
  }

  @Test("ids and problems begin with the file's name; examples know their file")
  func names() throws {
    let set = try files([("a", 1), ("b", 2)]).read()
    #expect(set.examples.map(\.id) == ["a:1", "a:2", "b:1"])
    #expect(set.examples.map(\.groups) == [["file": "a"], ["file": "a"], ["file": "b"]])
    #expect(set.problems.map(\.id) == ["b:line-2"])
    #expect(
      set.parts == [
        DatasetPart(name: "a", examples: 0..<2, weight: 1), DatasetPart(name: "b", examples: 2..<3, weight: 2),
      ])
    #expect(set.ignoredKeys.map(\.count) == [3])
  }

  @Test("one file with weight 1 is what it was; weights, names and order count in the digest")
  func digests() throws {
    let plain = try ExampleReader(imageRoot: "/r", policy: .skip).read(folder.path("a"))
    #expect(try files([("a", 1)]).read() == plain)
    let sets: [[(String, Double)]] = [
      [("a", 1)], [("a", 2)], [("a", 1), ("b", 1)], [("b", 1), ("a", 1)], [("a", 1), ("b", 2)],
    ]
    let digests = try sets.map { try files($0).read().digest }
    #expect(Set(digests).count == digests.count)
  }

  @Test("a missing or empty file among them is named")
  func missing() throws {
    try write("none", [])
    for name in ["none", "nowhere"] {
      let error = #expect(throws: DatasetError.self) { try files([("a", 1), (name, 1)]).read() }
      #expect(error?.description.hasPrefix(folder.path(name)) == true)
    }
  }
}

@Suite("A split of training examples")
struct ExampleSplitTests {
  /// Rows with their images; an id where one is given.
  private func sides(
    _ rows: [(id: String?, images: [String])], fraction: Double = 0.3, seed: UInt64 = 0, ids: ExampleIDs = .own,
    root: String = "/r"
  ) throws -> (training: Dataset, validation: Dataset) {
    let lines = rows.map { row in
      let images = row.images.map { "\"\($0)\"" }.joined(separator: ",")
      let text = String(repeating: "<image>", count: row.images.count) + "u"
      return "{\(row.id.map { #""id":"\#($0)","# } ?? "")\"images\":[\(images)],"
        + #""group":"\#(row.id ?? "none")","messages":[{"role":"user","content":"\#(text)"}]}"#
    }
    let folder = try TemporaryFolder()
    try folder.write("rows", Array(lines.joined(separator: "\n").utf8))
    func side(_ side: ExampleSplit.Side) throws -> Dataset {
      try ExampleFiles(
        [ExampleFile(path: folder.path("rows"), imageRoot: root)], reader: ExampleReader(policy: .skip, ids: ids),
        split: ExampleSplit(fraction: fraction, seed: seed, side: side)
      ).read()
    }
    return (try side(.training), try side(.validation))
  }

  private static let many: [(id: String?, images: [String])] =
    (0..<400).map { ("i\($0)", ["\($0 / 4).png"]) } + (0..<200).map { ("t\($0)", []) }

  @Test("each example is on one side, about the share of them, and images are on one side alone")
  func shares() throws {
    let (training, validation) = try sides(Self.many)
    #expect(training.examples.count + validation.examples.count == 600)
    #expect((120...240).contains(validation.examples.count), "\(validation.examples.count)")
    #expect(Set(training.examples.flatMap(\.images)).isDisjoint(with: validation.examples.flatMap(\.images)))
    #expect(validation.examples.contains { $0.images.isEmpty } && training.examples.contains { $0.images.isEmpty })
    #expect(training.digest != validation.digest)
    #expect(training.parts.map(\.examples) == [0..<training.examples.count])
  }

  @Test("examples that share an image through others stay together")
  func chains() throws {
    for seed in 0..<20 {
      let rows: [(id: String?, images: [String])] =
        Self.many + [("x", ["a", "b"]), ("y", ["c", "d"]), ("z", ["d", "a"]), ("w", ["b"])]
      let (training, _) = try sides(rows, seed: UInt64(seed))
      let together = training.examples.count { ["x", "y", "z", "w"].contains($0.id) }
      #expect(together == 0 || together == 4)
    }
  }

  @Test("more rows, in any order, move none of the others; another seed does; the folder does not")
  func stability() throws {
    let before = Set(try sides(Self.many).validation.examples.map(\.id))
    let more: [(id: String?, images: [String])] =
      (0..<100).map { ("new\($0)", ["\($0).png"]) } + Self.many.reversed() + [("new", [])]
    let after = try sides(more, root: "/elsewhere").validation.examples.map(\.id)
    #expect(Set(after.filter { !$0.hasPrefix("new") }) == before)
    #expect(Set(try sides(Self.many, seed: 1).validation.examples.map(\.id)) != before)
    // A larger share keeps those of the smaller one.
    #expect(before.isSubset(of: try sides(Self.many, fraction: 0.6).validation.examples.map(\.id)))
  }

  @Test("rows without ids are drawn by their bytes", arguments: [ExampleIDs.own, .line])
  func unnamed(ids: ExampleIDs) throws {
    let rows = (0..<50).map { (id: ids == .own ? nil : "r\($0)" as String?, images: [String]()) }
    // All bytes are equal where there is no id: all on one side.
    if ids == .own {
      #expect(throws: DatasetError.self) { try sides(rows, ids: ids) }
    } else {
      let first = Set(try sides(rows, ids: ids).validation.examples.flatMap(\.groups.values))
      let moved = Set(try sides(Array(rows.reversed()), ids: ids).validation.examples.flatMap(\.groups.values))
      #expect(first == moved && !first.isEmpty)
    }
  }

  @Test("a side without examples is an error that says which")
  func empty() {
    for (fraction, side) in [(1e-9, "validation"), (1 - 1e-9, "training")] {
      let error = #expect(throws: DatasetError.self) { try sides(Self.many, fraction: fraction) }
      #expect(error?.description.contains("leaves none of 600 examples for \(side)") == true)
    }
  }
}
