// Ranks in threads behave as real ranks: collectives are exact, and a rank that would wait for ever gets an error.
import Collectives
import Foundation
import Files
import TestSupport
import Testing

@Suite("Ranks in threads")
struct ThreadCommunicatorTests {
  @Test("sums, broadcasts and gathered bytes are the same on every rank", arguments: [1, 2, 5])
  func collectives(size: Int) throws {
    struct Found: Equatable, Sendable {
      var sums: [Int64]
      var told: [UInt8]
      var gathered: [[UInt8]]
    }
    let found = runOnRanks(size) { communicator in
      var found: [Found] = []
      for turn in 0..<20 {
        var words = [Int64(communicator.rank + turn), -(1 << 50), Int64(communicator.rank) << 40]
        try words.withUnsafeMutableBufferPointer { try communicator.sum($0) }
        found.append(
          Found(
            sums: words, told: try communicator.broadcast([UInt8(communicator.rank)], from: turn % size),
            gathered: try communicator.allGather(Array(repeating: UInt8(turn), count: communicator.rank))))
      }
      return found
    }
    let total = Int64(size * (size - 1) / 2)
    for rank in found {
      for (turn, found) in try rank.get().enumerated() {
        #expect(found.sums == [total + Int64(size * turn), -Int64(size) << 50, total << 40])
        #expect(found.told == [UInt8(turn % size)])
        #expect(found.gathered == (0..<size).map { Array(repeating: UInt8(turn), count: $0) })
      }
    }
    #expect(found.count == size)
  }

  @Test("traffic and calls are counted as MPI's are")
  func counts() throws {
    let seen = Calls()
    let found = runOnRanks(2, before: { seen.add($0) }) { communicator in
      var words = [Int64](repeating: 1, count: 3)
      _ = try communicator.allGather([1, 2])
      _ = try communicator.broadcast([1, 2, 3], from: 0)
      try words.withUnsafeMutableBufferPointer { try communicator.sum($0) }
      _ = try communicator.allGather([])
      return communicator.traffic
    }
    let traffic = try found.map { try $0.get() }
    #expect(traffic.map(\.sumCalls) == [1, 1] && traffic.map(\.sumBytes) == [24, 24])
    #expect(traffic.map(\.otherCalls) == [3, 3] && traffic.map(\.otherBytes) == [5, 2])
    let calls = seen.all.filter { $0.rank == 1 }
    #expect(calls.map(\.name) == ["allGather", "broadcast", "sum", "allGather"])
    #expect(calls.map(\.sums) == [0, 0, 1, 1] && calls.map(\.others) == [1, 2, 0, 1])
  }

  struct Broken: Error, CustomStringConvertible { let description = "the disk is full" }

  @Test("a rank that throws or returns between collectives fails those that wait for it, in words")
  func departure() {
    let thrown = runOnRanks(3) { communicator in
      _ = try communicator.allGather([])
      if communicator.rank == 1 { throw Broken() }
      _ = try communicator.broadcast([], from: 0)
    }
    #expect(
      messages(thrown) == [
        "rank 0 waits in broadcast from rank 0 for rank 1, which threw: the disk is full", "the disk is full",
        "rank 2 waits in broadcast from rank 0 for rank 1, which threw: the disk is full",
      ])
    let returned = runOnRanks(2) { communicator in
      if communicator.rank == 0 { _ = try communicator.allGather([]) }
    }
    #expect(messages(returned) == ["rank 0 waits in allGather for rank 1, which has returned", nil])
  }

  @Test("an abort is recorded and ends the others")
  func abort() {
    let found = runOnRanks(2) { communicator in
      if communicator.rank == 0 { communicator.abort(status: 3) }
      _ = try communicator.allGather([])
    }
    #expect(
      messages(found) == [
        "rank 0 aborted with status 3", "rank 1 waits in allGather for rank 0, which aborted with status 3",
      ])
  }

  @Test("a rank that does not come, or comes to another collective, is an error on all")
  func noMeeting() {
    let slow = runOnRanks(2, deadline: 1) { communicator in
      if communicator.rank == 1 { Thread.sleep(forTimeInterval: 60) }
      _ = try communicator.allGather([])
    }
    #expect(messages(slow)[0] == "no other rank came for 1.0 s to where rank 0 waits in allGather")
    #expect(messages(slow)[1] == "rank 1 was heard no more of for 2.0 s")
    let other = runOnRanks(2) { communicator in
      if communicator.rank == 1 { return _ = try communicator.allGather([]) }
      var words: [Int64] = [0, 0]
      try words.withUnsafeMutableBufferPointer { try communicator.sum($0) }
    }
    let words = "the ranks are in different collectives: rank 0 in sum of 2 words, rank 1 in allGather"
    #expect(messages(other) == [words, words])
  }

  @Test("what a test throws before a call, that rank alone throws")
  func hook() {
    let found = runOnRanks(2, before: { if $0.rank == 1, $0.others == 2 { throw Broken() } }) { communicator in
      for _ in 0..<5 { _ = try communicator.allGather([]) }
    }
    #expect(
      messages(found) == ["rank 0 waits in allGather for rank 1, which threw: the disk is full", "the disk is full"])
  }
}

@Suite("Ranks that fail together")
struct TogetherOnRanksTests {
  struct Broken: Error, CustomStringConvertible { let description: String }
  struct BrokenOnRank: ExitStatusError, CustomStringConvertible {
    let rank: Int
    var exitStatus: Int32 { Int32(rank) }
    var description: String { "no image on \(rank)" }
  }

  @Test("the lowest rank's failure is thrown by all, with its status; nobody waits")
  func lowestRank() {
    let found = runOnRanks(4) { communicator in
      try withErrorAgreement(communicator) {
        if communicator.rank > 1 { throw BrokenOnRank(rank: communicator.rank) }
      }
    }
    let failure = RankFailure(rank: 2, size: 4, message: "no image on 2", status: 2)
    for rank in found { #expect(throws: failure) { try rank.get() } }
  }

  @Test("a failure of all in the same words names no rank")
  func everyRank() {
    let found = runOnRanks(3) { communicator in
      try withErrorAgreement(communicator) { throw Broken(description: "no file") }
    }
    #expect(messages(found) == ["no file", "no file", "no file"])
  }

  @Test("results come in the items' order whoever made them; one that fails fails for all")
  func mapping() throws {
    let found = runOnRanks(3) { communicator in
      try mapOverRanks(5, communicator, naming: { "item \($0)" }) { $0 * $0 }
    }
    for rank in found { #expect(try rank.get() == [0, 1, 4, 9, 16]) }
    let failed = runOnRanks(3) { communicator in
      try mapOverRanks(3, communicator, naming: { "item \($0)" }) { item -> Int in
        if item == 1 { throw Broken(description: "item 1 is bad") }
        return item
      }
    }
    #expect(messages(failed) == Array(repeating: "rank 1 of 3: item 1 is bad", count: 3))
  }
}
