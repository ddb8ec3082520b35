// The collective operations of ranks. The training code sees this protocol and never MPI.

/// A group of ranks that run the same program on different batches.
package protocol Communicator: AnyObject, Sendable {
  var rank: Int { get }
  var size: Int { get }

  /// Adds the words of all ranks in place: the same bits on every rank, whatever the order.
  /// - Important: Collective; every rank passes the same number of words.
  func sum(_ words: UnsafeMutableBufferPointer<Int64>) throws

  /// Gives every rank the bytes that `root` passes.
  /// - Important: Collective.
  func broadcast(_ bytes: [UInt8], from root: Int) throws -> [UInt8]

  /// Gives every rank the bytes of all ranks, in rank order; the lengths may differ.
  /// - Important: Collective.
  func allGather(_ bytes: [UInt8]) throws -> [[UInt8]]

  /// Ends the whole job at once with an exit status, without waiting for any rank.
  func abort(status: Int32) -> Never

  /// What this rank has passed to collectives since the start.
  var traffic: Traffic { get }

  /// Reports what this rank is working on when it stalls.
  var watchdog: Watchdog { get }
}

/// Counters of calls and of payload bytes that this rank passed to the communicator, not of the bytes on the wire.
package struct Traffic: Equatable, Sendable {
  package var sumCalls = 0
  package var sumBytes = 0
  package var otherCalls = 0
  package var otherBytes = 0
  package init() {}

  /// Counts one call of `sum`.
  package mutating func addSum(words: Int) {
    sumCalls += 1
    sumBytes += words * MemoryLayout<Int64>.size
  }

  /// Counts one call of another collective.
  package mutating func addOther(bytes: Int) {
    otherCalls += 1
    otherBytes += bytes
  }
}
