// Where the ranks of a group of threads meet: one collective after the other, never a wait without an end.
import Foundation

/// The shared state of a group of ranks.
final class ThreadGroup: @unchecked Sendable {
  /// A collective with what all ranks must agree on.
  enum Collective: Equatable, CustomStringConvertible {
    case sum(words: Int)
    case broadcast(root: Int)
    case allGather

    var description: String {
      switch self {
      case .sum(let words): "sum of \(words) words"
      case .broadcast(let root): "broadcast from rank \(root)"
      case .allGather: "allGather"
      }
    }
  }

  /// How a rank's thread came to its end.
  enum Departure: CustomStringConvertible {
    case returned
    case threw(String)
    case aborted(status: Int32)

    var description: String {
      switch self {
      case .returned: "has returned"
      case .threw(let error): "threw: \(error)"
      case .aborted(let status): "aborted with status \(status)"
      }
    }
  }

  let size: Int
  private let deadline: Double
  /// Guards all that follows.
  private let condition = NSCondition()
  private var round = 0
  private var arrived: [Int: (collective: Collective, bytes: [UInt8])] = [:]
  private var gathered: [[UInt8]] = []
  private var failure: RankGroupError?
  private var departed: [Int: Departure] = [:]
  /// The first to leave: others that wait for it leave after it.
  private var first: (rank: Int, how: Departure)?
  /// When a rank last came to a collective or to its end.
  private var lastEvent = Date()

  /// - Parameter deadline: seconds that a rank waits for the others.
  init(size: Int, deadline: Double) { (self.size, self.deadline) = (size, deadline) }

  /// Waits until all ranks have called the same collective and gives back what each of them passed.
  func meet(_ rank: Int, _ collective: Collective, _ bytes: [UInt8]) throws -> [[UInt8]] {
    condition.lock()
    defer { condition.unlock() }
    let own = round
    let end = Date(timeIntervalSinceNow: deadline)
    lastEvent = Date()
    arrived[rank] = (collective, bytes)
    if arrived.count == size { complete() }
    while round == own {
      if let failure { throw failure }
      if let first {
        throw RankGroupError.left(rank: first.rank, how: "\(first.how)", waiting: rank, in: "\(collective)")
      }
      if !condition.wait(until: end), round == own, failure == nil {
        fail(.deadline(seconds: deadline, waiting: arrived.keys.sorted(), in: "\(collective)"))
      }
    }
    return gathered
  }

  /// Records that a rank's thread has ended, so that no rank waits for it.
  func leave(_ rank: Int, _ departure: Departure) {
    condition.lock()
    defer { condition.unlock() }
    lastEvent = Date()
    first = first ?? (rank, departure)
    departed[rank] = departed[rank] ?? departure
    condition.broadcast()
  }

  /// Waits for all ranks to leave; gives how they did, nil for those that were heard no more of for two deadlines.
  func departures() -> [Departure?] {
    condition.lock()
    defer { condition.unlock() }
    lastEvent = Date()
    while departed.count < size, -lastEvent.timeIntervalSinceNow < 2 * deadline {
      _ = condition.wait(until: lastEvent + 2 * deadline)
    }
    return (0..<size).map { departed[$0] }
  }

  private func complete() {
    let calls = (0..<size).compactMap { arrived[$0] }
    guard calls.allSatisfy({ $0.collective == calls[0].collective }) else {
      return fail(.mismatch(calls: calls.map { "\($0.collective)" }))
    }
    gathered = calls.map(\.bytes)
    arrived = [:]
    round += 1
    condition.broadcast()
  }

  private func fail(_ error: RankGroupError) {
    failure = error
    condition.broadcast()
  }
}
