// Items over ranks that may be asked to stop: all leave at the same item, and what was done is there on every rank.
import Collectives
import Synchronization
import TestSupport
import Testing

@Suite("Items over ranks, to the end or to a request to stop")
struct MapOverRanksTests {
  private struct Broken: Error, CustomStringConvertible { let description: String }

  private static let costs = [1.0, 5, 2, 2, 8, 1, 3]

  /// Each rank's results of seven items.
  private func found(
    _ ranks: Int, stopping stop: @escaping @Sendable (_ rank: Int, _ done: Int) -> Bool = { _, _ in false },
    _ body: @escaping @Sendable (Int) throws -> Int = { 10 * $0 }
  ) -> [Result<[Int?], any Error>] {
    return runOnRanks(ranks, deadline: 20) { communicator in
      var done = 0
      return try mapOverRanks(
        costs: Self.costs, communicator, stopping: { stop(communicator.rank, done) },
        naming: { "item \($0)" }
      ) { item in
        done += 1
        return try body(item)
      }
    }
  }

  @Test("every result on every rank", arguments: [1, 3])
  func whole(ranks: Int) throws {
    for rank in found(ranks) { #expect(try rank.get() == [0, 10, 20, 30, 40, 50, 60]) }
  }

  @Test("a request of one rank alone, also of one that has nothing left to do, stops all before the next item")
  func stopped() throws {
    for rank in found(1, stopping: { _, done in done == 2 }) {
      #expect(try rank.get() == [0, 10, nil, nil, nil, nil, nil])
    }
    // The dearest first: after one item each, 4, 1 and 6 are done.
    for asked in 0..<3 {
      for rank in found(3, stopping: { rank, done in rank == asked && done == 1 }) {
        #expect(try rank.get() == [nil, 10, nil, nil, 40, nil, 60], "asked of rank \(asked)")
      }
    }
    for rank in found(3, stopping: { _, _ in true }) { #expect(try rank.get() == [Int?](repeating: nil, count: 7)) }
  }

  @Test("a request in the last item comes too late to matter")
  func late() throws {
    for rank in found(1, stopping: { _, done in done == 7 }) {
      #expect(try rank.get() == [0, 10, 20, 30, 40, 50, 60])
    }
  }

  @Test("many short items need few agreements")
  func agreements() throws {
    let count = 10_000
    let calls = runOnRanks(2, deadline: 20) { communicator in
      let found = try mapOverRanks(
        costs: Array(repeating: 1, count: count), communicator, stopping: { false }, naming: { "item \($0)" }
      ) { $0 }
      guard found == Array(0..<count) else { throw Broken(description: "items are missing") }
      return communicator.traffic.otherCalls
    }
    for rank in calls { #expect(try rank.get() < 500) }
  }

  @Test("an item that fails ends all ranks with one failure, without the items that are left")
  func failing() {
    let begun = Mutex<[Int]>([])
    let results = found(3, stopping: { _, _ in false }) { item in
      begun.withLock { $0.append(item) }
      if item == 4 { throw Broken(description: "item 4: no image") }
      return item
    }
    #expect(messages(results) == Array(repeating: "rank 0 of 3: item 4: no image", count: 3))
    #expect(begun.withLock { $0.sorted() } == [1, 4, 6])
  }
}
