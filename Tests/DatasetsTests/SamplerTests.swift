// Steps, units and dealing: values frozen from an independent script, and the promises that training rests on.
import Foundation
import Testing

@testable import Datasets

@Suite("Random numbers")
struct RandomNumbersTests {
  @Test("SplitMix64 equals the published sequence of seed 1234567")
  func published() {
    var generator = SplitMix64(seed: 1_234_567)
    #expect(
      (0..<5).map { _ in generator.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
      ])
  }

  // From here frozen values are those of Resources/sampling_reference.py.
  @Test("bounded numbers equal the reference and fill their range")
  func bounded() {
    var generator = SplitMix64(seed: 42, stream: 3)
    #expect((0..<12).map { _ in generator.next(below: 6) } == [1, 1, 3, 4, 5, 2, 3, 5, 1, 0, 3, 1])
    #expect(generator.next(below: 1) == 0)
    #expect((0..<100).allSatisfy { _ in (0..<Int.max).contains(generator.next(below: .max)) })
    var counts = Array(repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[generator.next(below: 7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 400 })
  }

  @Test("normal numbers equal the reference within the last places of its logarithm")
  func gaussians() {
    var source = NormalSource(seed: 2024, stream: 5)
    let expected = [
      -0.6591594792021734, 0.6902146037665461, 0.7347078896456981, 1.4496107592420093, 1.2830936831684459,
      1.1427771032673875,
    ]
    for value in expected { #expect(abs(source.nextGaussian() - value) <= 4 * value.ulp.magnitude) }
  }

  @Test("normal numbers keep their bits, whatever the machine's C library")
  func gaussianBits() {
    var source = NormalSource(seed: 0)
    var digest: UInt64 = 0
    for _ in 0..<10_000 { digest = digest &* 31 &+ source.nextGaussian().bitPattern }
    #expect(digest == 6_277_421_724_819_015_334)
  }

  @Test("the logarithm is that of the C library within three units of the last place")
  func logarithm() {
    var generator = SplitMix64(seed: 9)
    for exponent in -60...60 {
      let x = Double(sign: .plus, exponent: exponent, significand: 1 + Double(generator.next() >> 12) * 0x1p-52)
      #expect(abs(naturalLogarithm(x) - log(x)) <= 3 * log(x).ulp, "\(x)")
    }
    #expect(naturalLogarithm(1) == 0)
  }

  @Test("mean, variance and fourth moment are those of N(0, 1), and streams differ")
  func moments() {
    var source = NormalSource(seed: 1, stream: 1)
    let numbers = (0..<200_000).map { _ in source.nextGaussian() }
    func moment(_ power: Double) -> Double { numbers.reduce(0) { $0 + pow($1, power) } / Double(numbers.count) }
    #expect(abs(moment(1)) < 0.01 && abs(moment(2) - 1) < 0.015 && abs(moment(4) - 3) < 0.1)
    var other = NormalSource(seed: 1, stream: 2)
    #expect(other.nextGaussian() != numbers[0])
  }
}

@Suite("Sampler")
struct SamplerTests {
  @Test("orders equal the reference")
  func frozen() {
    let sampler = Sampler(rows: 10, globalBatch: 4, seed: 7)
    #expect(sampler.order(epoch: 0) == [3, 1, 2, 5, 6, 4, 0, 8, 7, 9])
    #expect(sampler.order(epoch: 1) == [1, 3, 6, 0, 2, 5, 9, 4, 8, 7])
    #expect(Sampler(rows: 10, globalBatch: 4, seed: 8).order(epoch: 0) == [0, 5, 8, 6, 3, 2, 4, 1, 7, 9])
    let grouped = Sampler(rows: 9, groups: [5, 1, 5, 2, 1, 9, 2, 5, 4], globalBatch: 2, seed: 3)
    #expect(grouped.order(epoch: 0) == [0, 2, 7, 3, 6, 1, 4, 8, 5])
    #expect(sampler.rows(step: 2) == [7, 9, 1, 3])
  }

  @Test("each epoch holds each row once and every step is full", arguments: [1, 3, 4, 10, 23], [true, false])
  func coverage(batch: Int, grouped: Bool) {
    let sampler = Sampler(
      rows: 10, groups: grouped ? (0..<10).map { $0 / 3 } : nil, globalBatch: batch, seed: 5)
    let steps = (0..<20).map { sampler.rows(step: $0) }
    #expect(steps.allSatisfy { $0.count == batch })
    let sequence = steps.flatMap(\.self)
    for epoch in 0..<(sequence.count / 10) {
      #expect(sequence[(epoch * 10)..<(epoch * 10 + 10)].sorted() == Array(0..<10))
    }
  }

  @Test("a step asked for alone equals the same step in sequence")
  func independence() {
    func sampler() -> Sampler { Sampler(rows: 7, globalBatch: 3, seed: 11) }
    let one = sampler()
    let sequence = (0..<30).map { one.rows(step: $0) }
    for step in (0..<30).reversed() { #expect(sampler().rows(step: step) == sequence[step]) }
    for step in [29, 0, 13, 13, 2] { #expect(one.rows(step: step) == sequence[step]) }
  }

  @Test("rows of a group stay adjacent in the file's order")
  func groups() {
    let keys = (0..<40).map { ($0 * 7) % 11 }
    let sampler = Sampler(rows: 40, groups: keys, globalBatch: 40, seed: 2)
    let order = sampler.rows(step: 0)
    let runs = order.indices.filter { $0 == 0 || keys[order[$0]] != keys[order[$0 - 1]] }
    #expect(runs.count == Set(keys).count)
    for (a, b) in zip(order, order.dropFirst()) where keys[a] == keys[b] { #expect(a < b) }
  }

  @Test("epochs and steps count across the edges")
  func counting() {
    let sampler = Sampler(rows: 10, globalBatch: 4, seed: 0)
    #expect((0..<6).map(sampler.epoch(step:)) == [0, 0, 0, 1, 1, 2])
    #expect(sampler.stepsPerEpoch == 2.5)
    #expect(sampler.steps(epochs: 1) == 3 && sampler.steps(epochs: 2) == 5 && sampler.steps(epochs: 0.01) == 1)
  }
}

@Suite("Units and ranks")
struct UnitTests {
  @Test("rows of equal images are one group; rows without images stay alone")
  func imageGroups() {
    func row(_ images: String...) -> Row { Row(id: "r", line: 1, images: images.map { .file($0) }, messages: []) }
    let rows = [row("x"), row(), row("x", "y"), row("x"), row(), row("y", "x")]
    #expect(Datasets.imageGroups(of: rows) == [0, 1, 2, 0, 4, 5])
  }

  @Test("all rows as units: equal images together, in order of first rows, within bounds of rows and tokens")
  func unitsOfAllRows() {
    func row(_ images: String...) -> Row { Row(id: "r", line: 1, images: images.map { .file($0) }, messages: []) }
    let rows = [row("x"), row(), row("y"), row("x"), row(), row("x"), row("y")]
    func found(_ tokens: Int) -> [[Int]] { Datasets.units(of: rows) { $0.rows.count * tokens }.map(\.rows) }
    #expect(found(10) == [[0, 3, 5], [1], [2, 6], [4]])
    #expect(found(4096) == [[0, 3], [1], [2, 6], [4], [5]])
    #expect(found(9000) == rows.indices.map { [$0] })
    let many = Datasets.units(of: (0..<40).map { _ in row("x") }) { $0.rows.count }
    #expect(many.map(\.rows) == [Array(0..<16), Array(16..<32), Array(32..<40)])
    #expect(
      inRowOrder([["a", "d"], ["b"], ["c"]], of: [[0, 3], [1], [2]].map { Datasets.Unit(rows: $0) }) == [
        "a", "b", "c", "d",
      ])
  }

  @Test("neighbours of a group become a unit; every row of the step is in one, in order")
  func units() {
    let keys = [0, 0, 0, 1, 1, 2, 2, 2, 2, 9]
    let sampler = Sampler(rows: 10, groups: keys, globalBatch: 4, seed: 1)
    for step in 0..<15 {
      let units = sampler.units(step: step, grouping: keys)
      #expect(units.flatMap(\.rows) == sampler.rows(step: step))
      #expect(units.allSatisfy { Set($0.rows.map { keys[$0] }).count == 1 })
      for (a, b) in zip(units, units.dropFirst()) { #expect(keys[a.rows[0]] != keys[b.rows[0]]) }
      #expect(sampler.units(step: step).map(\.rows) == sampler.rows(step: step).map { [$0] })
    }
  }

  @Test("rows of their own join up to a micro-batch; grouped rows and rows of text stay apart")
  func microBatches() {
    let units = [[0], [1], [2, 3], [4], [5], [6], [7]].map { Datasets.Unit(rows: $0) }
    func found(_ rows: Int) -> [[Int]] {
      Datasets.microBatches(of: units, rows: rows) { $0 == 1 || $0 == 5 }.map { $0.flatMap(\.rows) }
    }
    #expect(found(1) == units.map(\.rows))
    #expect(found(2) == [[0, 4], [1, 5], [2, 3], [6, 7]])
    #expect(found(3) == [[0, 4, 6], [1, 5], [2, 3], [7]])
  }

  @Test("the costliest unit goes first, to the least loaded rank, ties to the lower one")
  func dealing() {
    #expect(deal(units: [1, 5, 3, 3, 2], ranks: 2) == [[1, 4], [0, 2, 3]])
    #expect(deal(units: [2, 2, 2], ranks: 2) == [[0, 2], [1]])
    #expect(deal(units: [7, 1], ranks: 4) == [[0], [1], [], []])
    #expect(deal(units: [], ranks: 3) == [[], [], []])
  }

  @Test("every unit is dealt once, within the rule's bound of the best", arguments: 1...9)
  func fairness(ranks: Int) {
    var generator = SplitMix64(seed: UInt64(ranks))
    let costs = (0..<50).map { _ in Double(1 + generator.next(below: 100)) }
    let hands = deal(units: costs, ranks: ranks)
    #expect(hands.flatMap(\.self).sorted() == Array(0..<50))
    let loads = hands.map { $0.reduce(0) { $0 + costs[$1] } }
    let best = max(costs.reduce(0, +) / Double(ranks), costs.max() ?? 0)
    #expect((loads.max() ?? 0) <= best * 4 / 3 + 1)
    #expect(deal(units: costs, ranks: ranks) == hands)
  }
}
