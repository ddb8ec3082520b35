// Who does which items, on hosts that are alike and on hosts that are not.
import Testing

@testable import Collectives

@Suite("Items are dealt so that all ranks finish together")
struct PartitionTests {
  @Test("the most expensive item goes first, to the least loaded rank, ties to the lower one")
  func assigning() {
    #expect(partition(costs: [1, 5, 3, 3, 2], ranks: 2) == [[1, 4], [0, 2, 3]])
    #expect(partition(costs: [2, 2, 2], ranks: 2) == [[0, 2], [1]])
    #expect(partition(costs: [7, 1], ranks: 4) == [[0], [1], [], []])
    #expect(partition(costs: [], ranks: 3) == [[], [], []])
  }

  private func costs(_ count: Int, seed: Int) -> [Double] { (0..<count).map { Double(1 + ($0 + seed) * 7919 % 101) } }

  @Test("every item is assigned once, within the rule's bound of the best", arguments: 1...9)
  func fairness(ranks: Int) {
    let costs = costs(50, seed: ranks)
    let assignment = partition(costs: costs, ranks: ranks)
    #expect(assignment.flatMap(\.self).sorted() == Array(0..<50))
    let loads = assignment.map { $0.reduce(0) { $0 + costs[$1] } }
    let best = max(costs.reduce(0, +) / Double(ranks), costs.max() ?? 0)
    #expect((loads.max() ?? 0) <= best * 4 / 3 + 1)
  }

  @Test("a rank of half the speed gets half as much", arguments: [2, 5, 9])
  func uneven(ranks: Int) {
    let costs = costs(400, seed: ranks)
    let speeds = (0..<ranks).map { $0 == 1 ? 0.5 : 1 }
    let assignment = partition(costs: costs, speeds: speeds)
    #expect(assignment.flatMap(\.self).sorted() == Array(0..<400))
    let times = zip(assignment, speeds).map { items, speed in items.reduce(0) { $0 + costs[$1] } / speed }
    let best = costs.reduce(0, +) / speeds.reduce(0, +)
    #expect(times.allSatisfy { $0 < 1.02 * best })
  }

  @Test("speeds come through their codes to two percent; near ones are equal; an unknown one is the mean")
  func codes() {
    func code(_ speed: Double) -> UInt16 {
      var measured = RankSpeed()
      measured.took(2, for: 2 * speed)
      return measured.code
    }
    #expect(RankSpeed().code == 0)
    for speed in [1e-30, 0.013, 1, 7, 3e10, 1e90] {
      let found = RankSpeed.speeds([code(speed), code(speed / 2)])
      #expect(abs(found[0] / speed - 1) < 0.02 && abs(found[0] / found[1] - 2) < 0.04)
    }
    let near = RankSpeed.speeds([code(100), code(105)])
    #expect(near[0] == near[1])
    #expect(RankSpeed.speeds([0, 0]) == [1, 1])
    let unknown = RankSpeed.speeds([code(100), 0, code(50)])
    #expect(abs(unknown[1] / 75 - 1) < 0.02)
  }

  @Test("a rank without work takes itself for faster until it gets some; old times are forgotten")
  func measuring() {
    var speed = RankSpeed()
    speed.took(1000, for: 1)
    let slow = speed.code
    for _ in 0..<10 { speed.took(0, for: 0) }
    #expect(speed.code > slow + 64)
    for _ in 0..<20 { speed.took(1, for: 8) }
    let fresh = RankSpeed.speeds([speed.code])[0]
    #expect(abs(fresh / 8 - 1) < 0.02)
  }

  /// Rounds on ranks of given speeds, as mapOverRanks makes them; the time until all are done.
  private func seconds(_ costs: [Double], speeds: [Double]) -> Double {
    var rounds = Rounds(costs: costs, ranks: speeds.count)
    var measured = speeds.map { _ in RankSpeed() }
    var dealt: [Int] = []
    var total = 0.0
    while !rounds.isEmpty {
      let round = rounds.deal(measured.map(\.code))
      dealt += round.flatMap(\.self)
      let times = zip(round, speeds).map { items, speed in items.reduce(0) { $0 + costs[$1] } / speed }
      for rank in speeds.indices {
        for item in round[rank] { measured[rank].took(costs[item] / speeds[rank], for: costs[item]) }
      }
      total += times.max() ?? 0
    }
    #expect(dealt.sorted() == Array(costs.indices))
    return total
  }

  @Test("rounds on uneven ranks take hardly longer than possible, of short items and of long ones")
  func rounds() {
    for scale in [0.001, 0.1, 2] {
      let costs = costs(200, seed: 3).map { $0 * scale }
      for speeds in [[1, 1, 1], [1, 0.5], [1, 0.5, 0.9, 2]] {
        let ideal = costs.reduce(0, +) / speeds.reduce(0, +)
        #expect(seconds(costs, speeds: speeds) < max(1.12 * ideal, ideal + 4 * scale * 101), "\(scale) \(speeds)")
      }
    }
    #expect(seconds([], speeds: [1, 1]) == 0)
  }
}
