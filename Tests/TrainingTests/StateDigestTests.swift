// A rank whose memory is not what it should be is found and named before its numbers reach a checkpoint.
import Adapters
import Artifacts
import Files
import Foundation
import Testing

@testable import Training

@Suite("Ranks that hold different adapters")
struct StateDigestTests {
  private func digest(
    _ numbers: [Float], _ moments: [Float] = [], _ squares: [Float] = [], exponents: [Int] = []
  ) -> UInt64 {
    var state = OptimizerState(count: 0)
    (state.expAvg, state.expAvgSq, state.gradientExponents) = (moments, squares, exponents)
    return numbers.withUnsafeBufferPointer { StateDigest(parameters: $0, state).value }
  }

  @Test("any flipped bit, two exchanged numbers and a number more give another digest")
  func changes() {
    let numbers = (0..<23).map { Float($0) * 0.37 - 3 }
    var seen: Set<UInt64> = [digest(numbers, numbers, numbers)]
    for index in numbers.indices {
      for bit in 0..<32 {
        var changed = numbers
        changed[index] = Float(bitPattern: changed[index].bitPattern ^ 1 << UInt32(bit))
        #expect(seen.insert(digest(changed, numbers, numbers)).inserted)
        #expect(seen.insert(digest(numbers, changed, numbers)).inserted)
        #expect(seen.insert(digest(numbers, numbers, changed)).inserted)
      }
    }
    var exchanged = numbers
    exchanged.swapAt(0, 4)
    for exponents in [[0], [1], [1, 0], [-1]] { #expect(seen.insert(digest(numbers, exponents: exponents)).inserted) }
    #expect(seen.insert(digest(exchanged, numbers, numbers)).inserted)
    #expect(seen.insert(digest(numbers + [0], numbers, numbers)).inserted)
    #expect(seen.allSatisfy { $0 < 1 << 46 })
  }

  @Test("sums and squares tell equal values from all others, also at the bounds")
  func equality() {
    func areEqual(_ values: [UInt64]) -> Bool {
      let addends = values.map { StateDigest($0).addends }
      return StateDigest.areEqual(ranks: values.count) { counter in
        addends.reduce(0) { sum, found in sum + found.filter { $0.counter == counter }.reduce(0) { $0 + $1.value } }
      }
    }
    let large: UInt64 = 1 << 46 - 1
    #expect(areEqual([5]) && areEqual([0, 0]) && areEqual(Array(repeating: large, count: 1 << 16)))
    #expect(!areEqual([large, large - 1]) && !areEqual([0, 1]) && !areEqual([0, 1 << 23]) && !areEqual([1, 1 << 23]))
    #expect(!areEqual(Array(repeating: large, count: (1 << 16) - 1) + [large - 1]))
    #expect(
      StateDigest.odd([7, 7, 8]) == [2] && StateDigest.odd([1, 2]) == [0, 1] && StateDigest.odd([3, 9, 3, 3]) == [1])
  }

  @Test("a bit that flips on one rank stops the run on all, names the rank and saves nothing", arguments: [0, 2])
  func flipped(rank: Int) throws {
    let run = try TinyRun(["checkpoint.every_steps=1"], validation: [])
    let outcome = run.train(ranks: 3, flippedRank: rank)
    for error in outcome.errors {
      #expect(error as? TrainingError == .differentState(step: 0, ranks: [rank]), "\(outcome.messages)")
    }
    #expect(run.savedSteps.isEmpty)
    #expect(outcome.messages[0]?.contains("the adapter of rank \(rank) differs") == true)
  }
}
