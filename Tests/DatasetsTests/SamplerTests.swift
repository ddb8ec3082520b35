// Steps, units and dealing: values frozen from an independent script, and the promises that training rests on.
import Foundation
import RandomNumbers
import Testing

@testable import Datasets

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
    func row(_ images: String...) -> Example { Example(id: "r", line: 1, images: images.map { .file($0) }, messages: []) }
    let rows = [row("x"), row(), row("x", "y"), row("x"), row(), row("y", "x")]
    #expect(Datasets.imageGroups(of: rows) == [0, 1, 2, 0, 4, 5])
  }

  @Test("all rows as units: equal images together, in order of first rows, within bounds of rows and tokens")
  func unitsOfAllRows() {
    func row(_ images: String...) -> Example { Example(id: "r", line: 1, images: images.map { .file($0) }, messages: []) }
    let rows = [row("x"), row(), row("y"), row("x"), row(), row("x"), row("y")]
    func found(_ tokens: Int) -> [[Int]] { Datasets.units(of: rows) { $0.rows.count * tokens }.map(\.rows) }
    #expect(found(10) == [[0, 3, 5], [1], [2, 6], [4]])
    #expect(found(4096) == [[0, 3], [1], [2, 6], [4], [5]])
    #expect(found(9000) == rows.indices.map { [$0] })
    let many = Datasets.units(of: (0..<40).map { _ in row("x") }) { $0.rows.count }
    #expect(many.map(\.rows) == [Array(0..<16), Array(16..<32), Array(32..<40)])
    #expect(
      inRowOrder([["a", "d"], ["b"], ["c"]], of: [[0, 3], [1], [2]].map { ImageGroup(rows: $0) }) == [
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
    let units = [[0], [1], [2, 3], [4], [5], [6], [7]].map { ImageGroup(rows: $0) }
    func found(_ rows: Int) -> [[Int]] {
      Datasets.microBatches(of: units, rows: rows) { $0 == 1 || $0 == 5 }.map { $0.flatMap(\.rows) }
    }
    #expect(found(1) == units.map(\.rows))
    #expect(found(2) == [[0, 4], [1, 5], [2, 3], [6, 7]])
    #expect(found(3) == [[0, 4, 6], [1, 5], [2, 3], [7]])
  }

  @Test("the costliest unit goes first, to the least loaded rank, ties to the lower one")
  func dealing() {
    #expect(partition(costs: [1, 5, 3, 3, 2], ranks: 2) == [[1, 4], [0, 2, 3]])
    #expect(partition(costs: [2, 2, 2], ranks: 2) == [[0, 2], [1]])
    #expect(partition(costs: [7, 1], ranks: 4) == [[0], [1], [], []])
    #expect(partition(costs: [], ranks: 3) == [[], [], []])
  }

  @Test("every unit is dealt once, within the rule's bound of the best", arguments: 1...9)
  func fairness(ranks: Int) {
    var generator = SplitMix64(seed: UInt64(ranks))
    let costs = (0..<50).map { _ in Double(1 + generator.next(below: 100)) }
    let hands = partition(costs: costs, ranks: ranks)
    #expect(hands.flatMap(\.self).sorted() == Array(0..<50))
    let loads = hands.map { $0.reduce(0) { $0 + costs[$1] } }
    let best = max(costs.reduce(0, +) / Double(ranks), costs.max() ?? 0)
    #expect((loads.max() ?? 0) <= best * 4 / 3 + 1)
    #expect(partition(costs: costs, ranks: ranks) == hands)
  }
}
