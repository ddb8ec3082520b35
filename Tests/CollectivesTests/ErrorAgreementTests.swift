// Failing together, alone.
import Testing

@testable import Collectives

@Suite("A failure in one process is its own message and status")
struct TogetherTests {
  struct Broken: Error, CustomStringConvertible { let description = "example 7: no image" }

  @Test func resultsPassAndErrorsBecomeFailures() throws {
    let alone = SingleProcess()
    #expect(try withErrorAgreement(alone) { 7 } == 7)
    let failure = RankFailure(rank: 0, size: 1, message: "example 7: no image", status: 65)
    #expect(throws: failure) { try withErrorAgreement(alone) { throw Broken() } }
    #expect(failure.description == "example 7: no image")
    #expect(alone.traffic.otherCalls == 2)
  }

  @Test func aFailureAgreedOnKeepsItsRankAndStatus() throws {
    let inner = RankFailure(rank: 2, size: 3, message: "example 7: no image", status: 65)
    #expect(throws: inner) { try withErrorAgreement(SingleProcess()) { throw inner } }
    #expect(inner.description == "rank 2 of 3: example 7: no image")
  }

  @Test func theCollectivesOfOneGiveBackWhatTheyGot() {
    let alone = SingleProcess()
    #expect(alone.broadcast([1, 2], from: 0) == [1, 2] && alone.allGather([3]) == [[3]])
    #expect(alone.rank == 0 && alone.size == 1 && alone.traffic.otherBytes == 3)
  }
}
