// How a command runs on its ranks, and how it ends: one line for an error, and no rank waits forever.
import ArgumentParser
import Collectives
import Files
import Foundation
import Glibc
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
      defer { communicator.watchdog.end(isJobOver: communicator.rank == 0) }
      CutFiles.report(rank: communicator.rank)
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

/// Reports slow ranks, and ends the job with `ExitStatus.stalled` where none gets on.
/// - Parameter target: what the command writes; the ranks' heartbeats lie in its folder.
/// - Important: Collective.
func watch(_ communicator: any Communicator, _ rules: StallRules, near target: String) throws {
  let heartbeats = try HeartbeatFile.shared(near: target, communicator)
  communicator.watchdog.watch(
    rules, rank: communicator.rank, size: communicator.size, heartbeats: heartbeats, report: complain
  ) { line in
    // Whatever hangs below, this process ends.
    Thread.detachNewThread {
      Thread.sleep(forTimeInterval: 10)
      _exit(ExitStatus.stalled)
    }
    complain(line)
    // Every rank that can say who is missing does, before the first of them ends the job.
    Thread.sleep(forTimeInterval: 2)
    communicator.abort(status: ExitStatus.stalled)
  }
}

/// The error, if every rank throws it at the same point; nil if only this rank has it.
private func sharedFailure(_ error: any Error, _ communicator: any Communicator) -> RankFailure? {
  if let failure = error as? RankFailure { return failure }
  return error is TrainingError || communicator.size == 1 ? RankFailure(shared: error) : nil
}
