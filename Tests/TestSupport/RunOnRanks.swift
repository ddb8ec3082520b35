// A piece of a program on several ranks at once, each a thread of this process.
import Foundation
import Synchronization

/// Runs `body` on `size` ranks and waits for all of them.
/// - Parameters:
///   - deadline: seconds that a rank waits in a collective; after twice as long without one, the rest is given up.
///   - hook: runs before each collective of each rank.
/// - Returns: what each rank returned or threw; `RankGroupError.aborted` for one that aborted.
package func runOnRanks<Value: Sendable>(
  _ size: Int, deadline: Double = 120, before hook: @escaping ThreadCommunicator.Hook = { _ in },
  _ body: @escaping @Sendable (ThreadCommunicator) throws -> Value
) -> [Result<Value, any Error>] {
  let group = ThreadGroup(size: size, deadline: deadline)
  let ended = Ended<Value>()
  // Threads, not a queue: every rank must run while others wait for it.
  for rank in 0..<size {
    Thread.detachNewThread {
      let result = Result { try body(ThreadCommunicator(group, rank: rank, hook: hook)) }
      ended.results.withLock { $0[rank] = result }
      switch result {
      case .success: group.leave(rank, .returned)
      case .failure(let error): group.leave(rank, .threw("\(error)"))
      }
    }
  }
  let departures = group.departures()
  return ended.results.withLock { results in
    departures.enumerated().map { rank, departure in
      if case .aborted(let status) = departure { return .failure(RankGroupError.aborted(rank: rank, status: status)) }
      return results[rank] ?? .failure(RankGroupError.stillRunning(rank: rank, seconds: 2 * deadline))
    }
  }
}

/// What each rank that has ended returned or threw.
private final class Ended<Value: Sendable>: Sendable {
  let results = Mutex<[Int: Result<Value, any Error>]>([:])
}

/// The message of what each rank threw; nil for one that returned.
package func messages<Value>(_ results: [Result<Value, any Error>]) -> [String?] {
  results.map { result in if case .failure(let error) = result { "\(error)" } else { nil } }
}

/// The calls that a hook saw, in the order of their beginnings.
package final class Calls: Sendable {
  private let seen = Mutex<[ThreadCommunicator.Call]>([])
  package init() {}
  package func add(_ call: ThreadCommunicator.Call) { seen.withLock { $0.append(call) } }
  package var all: [ThreadCommunicator.Call] { seen.withLock { $0 } }
}
