// What is kept of examples that were prepared: bytes under a right seal, and sound HDF5 files of any values.
import Datasets
import Digests
import Files
import Foundation

@testable import Batches

extension FuzzTarget {
  private static let row =
    #"{"id": "a", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x"}]}"#

  static let preparations: [FuzzTarget] = [
    sealed(
      "preparation-bytes",
      seeds: {
        let shape = ExampleShape(tokens: 9, visual: 4, first: 2, shared: 6, answers: 2, images: [16])
        let path = WorkFolder.path("preparation.h5")
        let remarks = Preparation.Remarks(
          digest: "d", imagesDigest: "i", problems: [.init(line: 2, id: "line-2", reason: "bad")],
          ignoredKeys: [.init(key: "k", count: 1)], notices: ["n"], parts: [.init(name: "", count: 2, weight: 1)])
        let place = RowPlace(start: 0, count: row.utf8.count, line: 1, number: 1)
        try PreparationFile.write(
          Preparation(
            rows: [place, place], lastMessages: [nil, 1], shapes: [shape, shape], keys: [0, 0],
            images: [
              .init(path: "a.png", state: FileState(size: 3, modified: 5), digest: String(repeating: "a", count: 64)),
              .init(path: "b.png", state: FileState(size: -1, modified: -1)),
            ], remarks: remarks), key: "key", to: path)
        return [Array(try readFile(path, maximumBytes: 1 << 20))]
      }, use: use),
    FuzzTarget(
      name: "preparation-values", dictionary: "json", format: .json,
      seeds: {
        let remarks =
          #"{"digest":"d","imagesDigest":"i","problems":[],"ignoredKeys":[],"notices":[],"#
          + #""parts":[{"name":"","count":1,"weight":1}]}"#
        let zeros = "\(Array(repeating: 48, count: 64))"
        return [
          Array(
            #"""
            {"attributes": {"/": {"format": "imagelora-prepared", "schema_version": 1, "key": "key"}}, "datasets": {
            "/examples": {"type": "int64", "shape": [1, 13],
            "values": [0, 0, \#(row.utf8.count), 1, 1, -1, 9, 4, 2, 6, 2, 0, 1]},
            "/patches": {"type": "int64", "shape": [1], "values": [16]},
            "/remarks": {"type": "uint8", "shape": [\#(remarks.utf8.count)], "values": \#(Array(remarks.utf8))},
            "/images/names": {"type": "uint8", "shape": [2], "values": [97, 0]},
            "/images/states": {"type": "int64", "shape": [1, 2], "values": [3, 5]},
            "/images/sha256": {"type": "uint8", "shape": [1, 64], "values": \#(zeros)}}}
            """#.utf8)
        ]
      },
      read: { bytes in
        let path = WorkFolder.path("preparation.h5")
        try HDF5Document(JSON(parsing: bytes)).write(to: path, filters: [])
        try Seal.append(to: path)
        try use(path)
      }),
  ]

  /// Every example is made or refused.
  private static func use(_ path: String) throws {
    guard let found = PreparationFile.read(path, key: "key") else { return }
    let rows = WorkFolder.write("rows.jsonl", row.utf8)
    let table = try ExampleFiles(rows, reader: ExampleReader()).open().table
    require(found.parts.reduce(0) { $0 + $1.examples.count } == found.rows.count)
    for index in found.rows.indices { _ = Refusal.allowing { try found.example(index, of: table) } }
    for image in found.images { _ = FileState(ofFile: image.path) }
    let shape = BatchShape(found.shapes)
    require(shape.images.count <= found.shapes.reduce(0) { $0 + $1.images.count })
  }
}
