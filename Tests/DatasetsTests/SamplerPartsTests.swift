// A sampler of several files: how often and how evenly an epoch takes each, and what stays as it was with one.
import Foundation
import Testing

@testable import Datasets

@Suite("A sampler of several files")
struct SamplerPartsTests {
  private func parts(_ counts: [Int], _ weights: [Double]) -> [DatasetPart] {
    var start = 0
    return zip(counts, weights).map { count, weight in
      defer { start += count }
      return DatasetPart(name: "\(start)", examples: start..<(start + count), weight: weight)
    }
  }

  @Test("orders equal the reference: groups that an epoch's edge cuts, files taken more and less than once")
  func frozen() {
    let sampler = Sampler(
      examples: 12, groups: (0..<12).map { $0 / 2 }, parts: parts([5, 4, 3], [1, 1.5, 0.6]), globalBatch: 4, seed: 3)
    #expect(sampler.order(epoch: 0) == [6, 7, 0, 1, 5, 4, 10, 11, 8, 5, 2, 3, 6])
    #expect(sampler.order(epoch: 1) == [7, 4, 8, 9, 0, 1, 8, 5, 9, 2, 3, 6, 7])
    #expect(sampler.order(epoch: 3) == [6, 7, 2, 3, 4, 6, 7, 10, 11, 8, 0, 1, 5])
  }

  @Test("one part of weight 1 is the order without parts", arguments: [nil, (0..<30).map { $0 % 7 }] as [[Int]?])
  func one(groups: [Int]?) {
    let plain = Sampler(examples: 30, groups: groups, globalBatch: 4, seed: 9)
    let part = Sampler(examples: 30, groups: groups, parts: parts([30], [1]), globalBatch: 4, seed: 9)
    for epoch in 0..<3 { #expect(plain.order(epoch: epoch) == part.order(epoch: epoch)) }
  }

  @Test("an epoch takes each file's examples as often as its weight says", arguments: [true, false])
  func weights(grouped: Bool) {
    let (counts, weights) = ([12, 8, 6, 0], [1, 2, 0.5, 1])
    let groups = grouped ? (0..<26).map { $0 / 3 } : nil
    let sampler = Sampler(
      examples: 26, groups: groups, parts: parts(counts, weights), globalBatch: 5, seed: 3)
    #expect(sampler.examplesPerEpoch == 12 + 16 + 3 && sampler.stepsPerEpoch == 31 / 5.0)
    var taken = [Int](repeating: 0, count: 26)
    for epoch in 0..<4 {
      let order = sampler.order(epoch: epoch)
      #expect(order.count == 31)
      for example in order { taken[example] += 1 }
      #expect(taken[..<12].allSatisfy { $0 == epoch + 1 } && taken[12..<20].allSatisfy { $0 == 2 * (epoch + 1) })
      #expect(taken[20...].reduce(0, +) == 3 * (epoch + 1))
      // Half of them an epoch, the other half in the next.
      #expect(taken[20...].allSatisfy { $0 == (epoch + 1) / 2 || $0 == (epoch + 2) / 2 })
    }
    #expect(sampler.epoch(step: 6) == 0 && sampler.epoch(step: 7) == 1)
  }

  @Test("files are dealt evenly: any stretch of an epoch has about its share of each")
  func evenness() {
    let sampler = Sampler(examples: 1100, parts: parts([1000, 100], [1, 3]), globalBatch: 13, seed: 1)
    let order = sampler.order(epoch: 2)
    for start in stride(from: 0, to: 1300 - 130, by: 13) {
      let small = order[start..<(start + 130)].count { $0 >= 1000 }
      #expect((29...31).contains(small), "\(small) at \(start)")
    }
    // An example that is taken three times is not taken twice in one third.
    for third in 0..<3 {
      let own = order[(third * 1300 / 3)..<((third + 1) * 1300 / 3)].filter { $0 >= 1000 }
      #expect(own.count - Set(own).count <= 1)
    }
  }

  @Test("a step asked for alone equals the same step in sequence; groups stay adjacent")
  func independence() {
    let groups = (0..<90).map { $0 / 4 }
    func sampler() -> Sampler {
      Sampler(examples: 90, groups: groups, parts: parts([40, 50], [1.7, 0.3]), globalBatch: 7, seed: 11)
    }
    let one = sampler()
    let sequence = (0..<60).map { one.examples(step: $0) }
    for step in (0..<60).reversed() { #expect(sampler().examples(step: step) == sequence[step]) }
    let order = one.order(epoch: 0)
    let runs = order.indices.filter { $0 == 0 || groups[order[$0]] != groups[order[$0 - 1]] }
    #expect(runs.count <= 10 + 8 + 5 + 4, "\(runs.count) runs of one group")
  }

  @Test("files of equal sizes have orders of their own")
  func streams() {
    let sampler = Sampler(examples: 20, parts: parts([10, 10], [1, 1]), globalBatch: 4, seed: 7)
    let order = sampler.order(epoch: 0)
    #expect(order.filter { $0 < 10 } != order.filter { $0 >= 10 }.map { $0 - 10 })
    #expect(order.filter { $0 < 10 } == Sampler(examples: 10, globalBatch: 4, seed: 7).order(epoch: 0))
  }
}
