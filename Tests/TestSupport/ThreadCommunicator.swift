// Ranks as threads of one process, the twin of MPI's communicator: what MPI would hang in is an error here.
import Collectives
import Foundation
import Synchronization

/// One rank of a group of threads. `runOnRanks` makes them.
///
/// Where MPI would wait for ever, every rank that waits throws a `RankGroupError`: another rank left its thread, calls
/// another collective, or makes no call before the group's deadline.
package final class ThreadCommunicator: Communicator {
  /// A rank's call of a collective, as it begins.
  package struct Call: Sendable, Equatable {
    package let rank: Int
    package let name: String
    /// Calls of `sum` by this rank so far, counting this one.
    package let sums: Int
    /// Calls of other collectives since the last `sum`, counting this one; 0 for a `sum`.
    package let others: Int
  }

  /// Runs on a rank's thread before each of its calls. What it throws, the call throws, on this rank alone.
  package typealias Hook = @Sendable (Call) throws -> Void

  package let rank: Int
  package let watchdog = Watchdog()
  package var size: Int { group.size }
  package var traffic: Traffic { counted.withLock { $0.traffic } }
  private let group: ThreadGroup
  private let hook: Hook
  private let counted = Mutex((traffic: Traffic(), others: 0))

  init(_ group: ThreadGroup, rank: Int, hook: @escaping Hook) {
    (self.group, self.rank, self.hook) = (group, rank, hook)
  }

  package func sum(_ words: UnsafeMutableBufferPointer<Int64>) throws {
    let call = counted.withLock { counted in
      counted.traffic.addSum(words: words.count)
      counted.others = 0
      return Call(rank: rank, name: "sum", sums: counted.traffic.sumCalls, others: 0)
    }
    try hook(call)
    let all = try watchdog.waiting { try meet(.sum(words: words.count), Array(UnsafeRawBufferPointer(words))) }
    for index in words.indices {
      words[index] = all.reduce(0) { sum, bytes in
        sum &+ bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 8, as: Int64.self) }
      }
    }
  }

  package func broadcast(_ bytes: [UInt8], from root: Int) throws -> [UInt8] {
    precondition((0..<size).contains(root), "no such rank")
    try hook(other("broadcast", bytes: rank == root ? bytes.count : 0))
    return try watchdog.waiting { try meet(.broadcast(root: root), bytes)[root] }
  }

  package func allGather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    try hook(other("allGather", bytes: bytes.count))
    return try watchdog.waiting { try meet(.allGather, bytes) }
  }

  /// Records the status, lets the other ranks fail and ends this thread's work; `runOnRanks` reports it.
  package func abort(status: Int32) -> Never {
    group.leave(rank, .aborted(status: status))
    // A thread cannot be ended from Swift without unwinding it: it sleeps until the process ends.
    while true { Thread.sleep(forTimeInterval: 3600) }
  }

  private func other(_ name: String, bytes: Int) -> Call {
    counted.withLock { counted in
      counted.traffic.addOther(bytes: bytes)
      counted.others += 1
      return Call(rank: rank, name: name, sums: counted.traffic.sumCalls, others: counted.others)
    }
  }

  /// Rank 0 waits under a name, as with MPI.
  private func meet(_ collective: ThreadGroup.Collective, _ bytes: [UInt8]) throws -> [[UInt8]] {
    func meet() throws -> [[UInt8]] { try group.meet(rank, collective, bytes) }
    return rank == 0 ? try watchdog.during("waiting for other ranks", meet) : try meet()
  }
}

/// What MPI would hang in, or end the whole job for.
package enum RankGroupError: Error, Equatable, CustomStringConvertible {
  /// A rank's thread came to its end while `waiting` waited for it.
  case left(rank: Int, how: String, waiting: Int, in: String)
  /// Ranks called different collectives, or with different counts or roots.
  case mismatch(calls: [String])
  /// Some ranks came and others did not.
  case deadline(seconds: Double, waiting: [Int], in: String)
  /// The rank called `abort`.
  case aborted(rank: Int, status: Int32)
  /// The rank's thread neither ended nor came to a collective.
  case stillRunning(rank: Int, seconds: Double)

  package var description: String {
    switch self {
    case .left(let rank, let how, let waiting, let call):
      "rank \(waiting) waits in \(call) for rank \(rank), which \(how)"
    case .mismatch(let calls):
      "the ranks are in different collectives: "
        + calls.enumerated().map { "rank \($0) in \($1)" }.joined(separator: ", ")
    case .deadline(let seconds, let waiting, let call):
      "no other rank came for \(seconds) s to where rank \(waiting.map(String.init).joined(separator: ", ")) "
        + "waits in \(call)"
    case .aborted(let rank, let status): "rank \(rank) aborted with status \(status)"
    case .stillRunning(let rank, let seconds): "rank \(rank) was heard no more of for \(seconds) s"
    }
  }
}
