// How a command runs on its ranks, and how it ends: one line for an error, no rank left waiting.
import ArgumentParser
import Collectives
import Evaluation
import Foundation
import Glibc
import MPI
import Training

/// Exit statuses that scripts rely on.
enum ExitStatus {
  static let failed: Int32 = 1
  static let badUsage: Int32 = 64
  static let badInput: Int32 = 65
}

/// Runs a command's body on this process's rank. An error that all ranks have is said once and all leave in step; any
/// other ends the whole job from the rank that has it, so that no rank waits for one that is gone.
func onRanks(_ body: (any Communicator) throws -> Void) throws {
  do {
    try withMPI { communicator in
      do {
        try body(communicator)
      } catch {
        guard let failure = sharedFailure(error, communicator) else {
          complain("rank \(communicator.rank) of \(communicator.size): \(error)")
          communicator.abort(status: exitStatus(of: error))
        }
        if communicator.rank == 0 { complain("\(failure)") }
        throw failure
      }
    }
  } catch let failure as RankFailure {
    throw ExitCode(failure.status)
  }
}

/// The error as one that every rank throws at the same point; nil if it is this rank's alone.
private func sharedFailure(_ error: any Error, _ communicator: any Communicator) -> RankFailure? {
  if let failure = error as? RankFailure { return failure }
  guard error is TrainingError || communicator.size == 1 else { return nil }
  return RankFailure(rank: 0, size: 1, message: "\(error)", status: exitStatus(of: error))
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

/// Writes a result: a path that cannot be one is what the user gave, any failure behind that the disk's.
func saving(_ path: String, _ write: () throws -> Void) throws {
  try checkWritable(path)
  do { try write() } catch { throw SavingError(description: "\(error)") }
}

/// 65 for what the user gave, 1 for what the world did.
func exitStatus(of error: any Error) -> Int32 {
  switch error {
  case let failure as RankFailure: failure.status
  case TrainingError.interrupted, TrainingError.notFinite, TrainingError.validationNotFinite: ExitStatus.failed
  case is SavingError, is MPIError: ExitStatus.failed
  default: ExitStatus.badInput
  }
}
