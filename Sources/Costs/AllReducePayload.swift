// The payload of the one all-reduce of an optimizer step.
import Collectives

/// The words of the all-reduce: the gradient of every trainable parameter, then a few counters, then the ranks' speeds.
package struct AllReducePayload: Sendable, Equatable {
  /// The last four are a digest of what a rank trains, in two parts, and their squares.
  package enum Counter: Int, CaseIterable, Sendable {
    case nll, tokens, notFinite, tooLarge, save, stop, stateLow, stateLowSquared, stateHigh, stateHighSquared
  }

  /// The counters in words.
  package static let counters = "loss, tokens, not finite, too large, save, stop, state, speed"
  /// Bytes of a word: the exact sum is one of fixed-point numbers.
  package static let wordBytes = MemoryLayout<Int64>.stride

  /// Trainable parameters.
  package let parameters: Int
  /// Words that hold the ranks' speeds, several each.
  private let speedWords: Int
  private static let speedsPerWord = Int64.bitWidth / RankSpeed.bits

  package init(parameters: Int, ranks: Int) {
    self.parameters = parameters
    speedWords = max(1, (ranks + Self.speedsPerWord - 1) / Self.speedsPerWord)
  }

  package var count: Int { parameters + Counter.allCases.count + speedWords }
  /// The word of a counter.
  package subscript(_ counter: Counter) -> Int { parameters + counter.rawValue }

  /// The word of a rank's speed, and the power of two that its code is multiplied by there.
  private func speedPlace(_ rank: Int) -> (word: Int, shift: Int) {
    let word = parameters + Counter.allCases.count + rank / Self.speedsPerWord
    return (word, rank % Self.speedsPerWord * RankSpeed.bits)
  }

  /// Adds a rank's speed to the sum of all ranks.
  package func add(_ speed: RankSpeed, of rank: Int, to sum: inout ExactSum) {
    let (word, shift) = speedPlace(rank)
    sum.add(count: Int(bitPattern: UInt(speed.code) << UInt(shift)), at: word)
  }

  /// The speeds of all ranks, after the reduction.
  package func speeds(ranks: Int, in sum: ExactSum) -> [Double] {
    RankSpeed.speeds(
      (0..<ranks).map { rank in
        let (word, shift) = speedPlace(rank)
        return UInt16(truncatingIfNeeded: sum.count(at: word) >> shift)
      })
  }

  package var gradientBytes: Int { parameters * Self.wordBytes }
  package var counterBytes: Int { (count - parameters) * Self.wordBytes }
  package var bytes: Int { gradientBytes + counterBytes }
}
