// How a command runs on its ranks, and how it ends: one line for an error, and no rank waits forever.
import ArgumentParser
import Collectives
import Files
import MPI
import Training

/// Runs a command's body on this process's rank. An error that all ranks have is reported once, and all ranks exit
/// together. Any other error aborts the whole job from the rank that has it, so that no rank waits for a dead one.
func onRanks(_ body: (any Communicator) throws -> Void) throws {
  do {
    try withMPI { communicator in
      CutFiles.report()
      do {
        try body(communicator)
      } catch {
        guard let failure = sharedFailure(error, communicator) else {
          complain("rank \(communicator.rank) of \(communicator.size): \(error)")
          communicator.abort(status: ExitStatus.of(error))
        }
        if communicator.rank == 0 { complain("\(failure)") }
        throw failure
      }
    }
  } catch let failure as RankFailure {
    throw ExitCode(failure.status)
  }
}

/// The error, if every rank throws it at the same point; nil if only this rank has it.
private func sharedFailure(_ error: any Error, _ communicator: any Communicator) -> RankFailure? {
  if let failure = error as? RankFailure { return failure }
  return error is TrainingError || communicator.size == 1 ? RankFailure(shared: error) : nil
}
