// Collective error agreement: all ranks succeed or all fail, so that no rank waits for one that has failed.
import Files

/// The failure of one rank, or the same failure of all ranks; every rank throws it.
package struct RankFailure: ExitStatusError, Equatable, Sendable, CustomStringConvertible {
  /// The lowest rank that failed.
  package let rank: Int
  /// The number of ranks of the group; 1 where every rank failed with the same message.
  package let size: Int
  /// The message of that rank's error.
  package let message: String
  /// The status to exit with.
  package let status: Int32
  package var exitStatus: Int32 { status }

  package init(rank: Int, size: Int, message: String, status: Int32) {
    self.rank = rank
    self.size = size
    self.message = message
    self.status = status
  }

  /// An error that every rank throws at the same point, with the same message.
  package init(shared error: any Error) {
    self.init(rank: 0, size: 1, message: "\(error)", status: ExitStatus.of(error))
  }

  /// One line: the rank, unless there is only one, and its message.
  package var description: String { size == 1 ? message : "rank \(rank) of \(size): \(message)" }
}

/// Runs `body` on every rank and returns its result if no rank threw; otherwise every rank throws the same
/// `RankFailure`, that of the lowest rank that threw, with the exit status that its error asks for.
/// - Important: Collective. `body` itself calls collectives only where every rank reaches them, as in a nested
///   `withErrorAgreement`.
package func withErrorAgreement<Result>(
  _ communicator: some Communicator, _ body: () throws -> Result
) throws -> Result {
  let outcome = Swift.Result { try body() }
  var report: [UInt8] = []
  if case .failure(let error) = outcome {
    let failure = error as? RankFailure
    let code = failure?.status ?? ExitStatus.of(error)
    report = withUnsafeBytes(of: code.littleEndian, Array.init) + Array((failure?.message ?? "\(error)").utf8)
  }
  let reports = try communicator.allGather(report)
  guard let rank = reports.firstIndex(where: { !$0.isEmpty }) else { return try outcome.get() }
  // A failure that was already agreed on keeps its rank.
  if case .failure(let error as RankFailure) = outcome, reports.allSatisfy({ $0 == report }) { throw error }
  let code = reports[rank].prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
  let everywhere = reports.allSatisfy { $0 == reports[rank] }
  throw RankFailure(
    rank: rank, size: everywhere ? 1 : communicator.size,
    message: String(decoding: reports[rank].dropFirst(4), as: UTF8.self),
    status: Int32(bitPattern: code))
}

/// Throws on every rank unless all hold the same text about something that they must share.
/// - Throws: `RankFailure`, naming the first rank that differs from rank 0.
/// - Important: Collective.
package func requireSame(_ text: String, what: String, _ communicator: some Communicator) throws {
  let texts = try communicator.allGather(Array(text.utf8))
  guard let rank = texts.firstIndex(where: { $0 != texts[0] }) else { return }
  throw RankFailure(
    rank: 0, size: 1, message: "rank \(rank) has another \(what) than rank 0; give all nodes the same files",
    status: ExitStatus.badInput)
}
