// How a command runs on its ranks, and how it ends: one line for an error, and no rank waits forever.
import ArgumentParser
import Collectives
import Files
import MPI
import Training

/// Runs the body of a command that divides its work: on the ranks that a launcher started, otherwise on one.
///
/// An error that all ranks have is reported once, and all ranks exit together. Any other error aborts the whole job
/// from the rank that has it, so that no rank waits for a dead one.
func onRanks(_ body: (any Communicator) throws -> Void) throws {
  let launcher = Launcher()
  do {
    try withRanks(of: launcher) { communicator in
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
  } catch {
    // Every process has it, and none is a rank yet.
    if launcher?.isFirst ?? true { complain("\(error)") }
    throw ExitCode(ExitStatus.of(error))
  }
}

/// Runs the body of a command that one process does, without MPI. Where a launcher started several, the first one does
/// it and the others end at once, without a word.
func onFirstRank(_ body: () throws -> Void) throws {
  guard Launcher()?.isFirst ?? true else { return }
  CutFiles.report()
  do {
    try body()
  } catch {
    complain("\(error)")
    throw ExitCode(ExitStatus.of(error))
  }
}

/// The error, if every rank throws it at the same point; nil if only this rank has it.
private func sharedFailure(_ error: any Error, _ communicator: any Communicator) -> RankFailure? {
  if let failure = error as? RankFailure { return failure }
  return error is TrainingError || communicator.size == 1 ? RankFailure(shared: error) : nil
}
