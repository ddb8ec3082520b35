// How a command runs on its ranks, and how it ends: one line for an error, no rank left waiting.
import ArgumentParser
import Collectives
import Foundation
import Glibc
import MPI
import Tensors
import Training

/// Exit statuses that scripts rely on.
enum ExitStatus {
  static let failed: Int32 = 1
  static let badUsage: Int32 = 64
  static let badInput: Int32 = 65
}

/// Runs a command's body on this process's rank; ends the whole job where it throws.
/// - Parameter threads: threads that products use on this rank.
func onRanks(_ body: (any Communicator) throws -> Void) throws {
  try withMPI { communicator in
    do {
      setProductThreads(1)
      try body(communicator)
    } catch {
      let status = exitStatus(of: error)
      // An error that all ranks have is said once, and all leave in step; any other ends the job from this rank.
      if isOnAllRanks(error) {
        if communicator.rank == 0 { complain("\(error)") }
        throw ExitCode(status)
      }
      complain(communicator.size > 1 ? "rank \(communicator.rank): \(error)" : "\(error)")
      if communicator.size == 1 { throw ExitCode(status) }
      communicator.abort(status: status)
    }
  }
}

/// One line on standard error.
func complain(_ line: String) {
  FileHandle.standardError.write(Data("imagelora: \(line.replacing("\n", with: " "))\n".utf8))
}

/// A line on standard output, at once: a batch system's log is read while the job runs.
@Sendable func say(_ line: String) {
  print(line)
  fflush(nil)
}

/// Errors that every rank throws at the same point.
private func isOnAllRanks(_ error: any Error) -> Bool {
  error is RankFailure || error is TrainingError
}

/// 65 for what the user gave, 1 for what the world did.
func exitStatus(of error: any Error) -> Int32 {
  switch error {
  case let failure as RankFailure: failure.status
  case TrainingError.interrupted, TrainingError.notFinite: ExitStatus.failed
  case is TrainingError: ExitStatus.badInput
  default: ExitStatus.badInput
  }
}
