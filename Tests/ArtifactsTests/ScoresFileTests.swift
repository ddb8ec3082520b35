import Adapters
import Digests
import Files
import Foundation
import HDF5
import TestSupport
import Testing

@testable import Artifacts

@Suite("Scores files: the same bytes for every way of sharding, and no damaged file accepted")
struct ScoresFileTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// Examples of a model of 3 layers and 2 KV heads, with values whose sums depend on their order in the last bits.
  private func example(_ index: Int) -> ExampleInfluence {
    let values = (0..<6).map { pow(10, Double((index * 7 + $0 * 5) % 9) - 4) * (1 + Double(index) / 3) }
    return ExampleInfluence(
      id: "row-\(index * 37 % 11)", rank1Norm2: values, gateGradient: values.map { index % 2 == 0 ? $0 : -$0 },
      weightGradientNorm2: values.map { $0 / 3 })
  }

  private func scores(
    _ rows: [ExampleInfluence], shard: Shard = .whole, base: String = "base", data: String = "data", seed: UInt64 = 7,
    layers: Int = 3
  ) -> InfluenceScores {
    InfluenceScores(
      layers: layers, kvHeads: 6 / layers, seed: seed, baseDigest: base, dataDigest: data, shard: shard, examples: rows)
  }

  private func shard(_ index: Int, of count: Int) -> InfluenceScores {
    let examples = (0..<11).filter { $0 % count == index }.map(example)
    return scores(examples, shard: Shard(indices: [index], count: count))
  }

  /// Writes shards, then reads and merges the files in an order.
  private func merged(_ order: [Int]) throws -> InfluenceScores {
    for index in order { try shard(index, of: 4).write(to: folder.path("part-\(index).h5")) }
    return try .merging(
      order.map { index in
        let path = folder.path("part-\(index).h5")
        return (path, try InfluenceScores(reading: path))
      })
  }

  @Test func everyOrderOfFourShardsGivesTheBytesOfTheWhole() throws {
    try scores((0..<11).map(example)).write(to: folder.path("whole.h5"))
    let whole = try bytes(of: folder.path("whole.h5"))
    func orders(_ rest: [Int]) -> [[Int]] {
      rest.isEmpty ? [[]] : rest.flatMap { first in orders(rest.filter { $0 != first }).map { [first] + $0 } }
    }
    for order in orders([0, 1, 2, 3]) {
      try merged(order).write(to: folder.path("merged.h5"))
      #expect(try bytes(of: folder.path("merged.h5")) == whole, "order \(order)")
    }
  }

  @Test("files of older versions have no norms of weight gradients: they are read, and merged with their like alone")
  func olderFiles() throws {
    func older(_ examples: [ExampleInfluence]) -> [ExampleInfluence] {
      examples.map { ExampleInfluence(id: $0.id, rank1Norm2: $0.rank1Norm2, gateGradient: $0.gateGradient) }
    }
    let (old, new) = (scores(older((0..<5).map(example))), scores((5..<9).map(example)))
    try old.write(to: folder.path("old.h5"))
    try new.write(to: folder.path("new.h5"))
    let read = (
      try InfluenceScores(reading: folder.path("old.h5")), try InfluenceScores(reading: folder.path("new.h5"))
    )
    #expect(read.0 == old && read.1 == new)
    #expect(read.0.estimators == [.rank1, .gate] && read.0.usualEstimator == .rank1)
    #expect(read.1.estimators == Estimator.allCases && read.1.usualEstimator == .fisher)
    let expected = read.1.scores(.rank1).map { $0.map { $0 / 3 } }
    for (found, wanted) in zip(read.1.scores(.fisher).joined(), expected.joined()) {
      #expect(abs(found - wanted) <= 1e-12 * wanted)
    }
    #expect(throws: InfluenceScores.MergeError.self) {
      try InfluenceScores.merging([("old", read.0), ("new", read.1)])
    }
  }

  @Test("a probe of upper layers says so, and is merged with its like alone")
  func upperLayers() throws {
    func upper(_ index: Int) -> InfluenceScores {
      let numbers: [Double] = [0, 0, 1, 2, 3, Double(index)]
      return InfluenceScores(
        layers: 3, kvHeads: 2, fromLayer: 1, seed: 7, baseDigest: "base", dataDigest: "data",
        shard: Shard(indices: [index], count: 4),
        examples: [
          ExampleInfluence(id: "\(index)", rank1Norm2: numbers, gateGradient: numbers, weightGradientNorm2: numbers)
        ])
    }
    let path = folder.path("upper.h5")
    try upper(1).write(to: path)
    #expect(try InfluenceScores(reading: path) == upper(1))
    let merged = try InfluenceScores.merging([("a.h5", upper(0)), ("b.h5", upper(1))])
    #expect(merged.fromLayer == 1 && merged.probedWords == "4 KV heads from layer 1 on")
    #expect(
      line { _ = try InfluenceScores.merging([("a.h5", shard(0, of: 4)), ("b.h5", upper(1))]) }
        == "b.h5: its lowest layer (from_layer) is not that of a.h5; merge only shards of one probe")
  }

  @Test func mergingInStagesGivesTheBytesOfTheWhole() throws {
    let (left, right) = (try merged([3, 1]), try merged([2, 0]))
    #expect(left.shard.description == "1,3/4")
    try left.write(to: folder.path("left.h5"))
    let both = try InfluenceScores.merging([
      ("left", try InfluenceScores(reading: folder.path("left.h5"))), ("right", right),
    ])
    #expect(both == scores((0..<11).map(example)))
  }

  @Test func shardsOfDifferentProbesAreRefused() {
    let first = shard(0, of: 4)
    let examples = [example(1)]
    let part = Shard(indices: [1], count: 4)
    for (other, what) in [
      (scores(examples, shard: part, base: "other"), "base model (base_digest)"),
      (scores(examples, shard: part, data: "other"), "data (data_digest)"),
      (scores(examples, shard: part, seed: 8), "seed (estimator_seed)"),
      (scores(examples, shard: part, layers: 2), "number of layers"),
      (scores(examples, shard: Shard(indices: [1], count: 5)), "number of shards"),
    ] {
      #expect(
        line { _ = try InfluenceScores.merging([("a.h5", first), ("b.h5", other)]) }
          == "b.h5: its \(what) is not that of a.h5; merge only shards of one probe")
    }
    #expect(
      line { _ = try InfluenceScores.merging([("a.h5", first), ("b.h5", first)]) }
        == "a.h5 and b.h5: both hold example row-0; name each shard once")
    let large = (0...1).map { index in
      let values = [1.5e308, 0, 0, 0, 0, 0]
      let example = ExampleInfluence(id: "row-\(index)", rank1Norm2: values, gateGradient: values.map { _ in 0 })
      return scores([example], shard: Shard(indices: [index], count: 2))
    }
    #expect(
      line { _ = try InfluenceScores.merging([("a.h5", large[0]), ("b.h5", large[1])]) }
        == "a.h5 and b.h5: their scores add up to more than a number holds; probe again")
    #expect(line { _ = try InfluenceScores.merging([]) } == "nothing to merge; name at least one scores file")
  }

  /// Every bit of the contents counts, whether HDF5 has a checksum for it or not.
  @Test("one flipped bit anywhere before the seal is refused by the seal; in the seal nothing else is damaged")
  func flips() throws {
    let right = shard(1, of: 4)
    let path = folder.path("flipped.h5")
    try right.write(to: path)
    let valid = try bytes(of: path)
    var notices: [String] = []
    #expect(try InfluenceScores(reading: path, notice: { notices.append($0) }) == right && notices.isEmpty)
    for index in stride(from: 0, to: valid.count, by: 7) {
      var damaged = valid
      damaged[index] ^= 1 << UInt8(index % 8)
      try folder.write("flipped.h5", damaged)
      notices = []
      let isSeal = index >= valid.count - Seal.byteCount
      do {
        let found = try InfluenceScores(reading: path, notice: { notices.append($0) })
        #expect(isSeal && found == right && notices.count == 1, "byte \(index)")
      } catch {
        #expect(
          "\(error)"
            == "\(path): damaged: its bytes are not those that were sealed; bring back a valid copy, or probe again")
      }
    }
  }

  @Test("a file of an earlier version has no seal: read with one notice, and sealed when it is merged")
  func unsealed() throws {
    let right = shard(1, of: 4)
    let path = folder.path("old.h5")
    try right.write(to: path)
    let sealed = try bytes(of: path)
    try folder.write("old.h5", Array(sealed.dropLast(Seal.byteCount)))
    var notices: [String] = []
    let found = try InfluenceScores(reading: path, notice: { notices.append($0) })
    #expect(found == right)
    #expect(
      notices == [
        "\(path): has no seal, as files of versions before 0.3.0, so damage may go unnoticed; imagelora scores merge "
          + "writes it again with one"
      ])
    try InfluenceScores.merging([(path, found)]).write(to: path)
    #expect(try bytes(of: path) == sealed)
  }

  /// Every third byte of a file without a seal is once wrong, the file is cut at every thirteenth: an error of one
  /// line, or the right values where the byte was unused.
  @Test func damagedFilesAreRefusedInOneLine() throws {
    let right = shard(1, of: 4)
    try right.write(to: folder.path("valid.h5"))
    let valid = Array(try bytes(of: folder.path("valid.h5")).dropLast(Seal.byteCount))
    let path = folder.path("damaged.h5")
    var noticed = 0
    func read(_ bytes: [UInt8]) throws -> InfluenceScores? {
      try Data(bytes).write(to: URL(filePath: path))
      do {
        return try InfluenceScores(reading: path)
      } catch {
        #expect(!"\(error)".contains("\n") && "\(error)".contains("damaged.h5"))
        noticed += 1
        return nil
      }
    }
    for index in stride(from: 0, to: valid.count, by: 3) {
      var damaged = valid
      damaged[index] ^= 4
      if let found = try read(damaged) { #expect(found == right, "byte \(index)") }
    }
    #expect(noticed > 500)
    for count in stride(from: 0, to: valid.count, by: 13) { #expect(try read(Array(valid[..<count])) == nil) }
  }

  /// A whole file with right checksums over contents that contradict each other.
  @Test(arguments: [
    "rows", "shape", "empty", "sums", "negative", "nan", "twice", "shard", "version", "seed", "layer", "below",
  ])
  func filesThatContradictThemselvesAreRefused(fault: String) throws {
    let path = folder.path("\(fault).h5")
    let file = try File.create(path)
    func ids() -> [String] { fault == "empty" ? [] : fault == "twice" ? ["a", "a"] : ["a", "b"] }
    let rows = ids().count
    let heads = fault == "empty" ? [1 << 40, 1 << 40] : fault == "shape" ? [2, 0] : [2, 1]
    let count = rows * heads[0] * heads[1]
    var values = [Double](repeating: 2, count: count)
    if fault == "negative" { values[1] = -2 }
    if fault == "nan" { values[1] = .nan }
    try file.setAttribute("schema_version", to: Int64(fault == "version" ? 2 : 1))
    if fault != "seed" { try file.setAttribute("estimator_seed", to: Int64(0)) }
    try file.setAttribute("base_digest", to: "b")
    try file.setAttribute("data_digest", to: "d")
    try file.setAttribute("rows", to: Int64(fault == "rows" ? 3 : rows))
    try file.setAttribute("shard", to: fault == "shard" ? "4/4" : "0/1")
    if ["layer", "below"].contains(fault) { try file.setAttribute("from_layer", to: Int64(fault == "layer" ? 2 : 1)) }
    try file.write(ids(), shape: [rows], to: "/rows/id")
    try file.write(values, shape: [rows] + heads, to: "/rows/rank1_norm2")
    try file.write(values, shape: [rows] + heads, to: "/rows/gate_gradient")
    try file.write([fault == "sums" ? 5.0 : 4.0, 4], shape: [2, 1], to: "/scores/rank1")
    try file.write([8.0, 8], shape: [2, 1], to: "/scores/gate")
    try file.close()
    let words = [
      "rows": "rows/id has 2 examples", "shape": "has shape [2, 2, 0]", "empty": "rows/id has 0 examples",
      "sums": "scores/rank1 is not the finite sum of its examples", "negative": "negative or not finite",
      "nan": "negative or not finite", "twice": "an example appears twice", "shard": "shard 4/4 is not i/n",
      "version": "schema_version 2 is not 1", "seed": "estimator_seed", "layer": "from_layer 2 is not one of 2 layers",
      "below": "from_layer is 1, and a layer below has scores",
    ]
    let said = line { _ = try InfluenceScores(reading: path) }
    #expect(said.contains(words[fault] ?? "?") && said.contains(path) && !said.contains("\n"), "\(said)")
  }
}
