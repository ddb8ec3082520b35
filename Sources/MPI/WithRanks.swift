// The ranks of a command: those of a launcher, or this process alone, without MPI.
import Collectives

/// Runs `body` with all ranks that a launcher started, by `withMPI`; without a launcher, or with a launcher of one
/// process, MPI is not started and the job is one rank.
///
/// MPI takes a quarter of a second to start, and processes that start at once may collide in its session folder.
/// - Throws: `LauncherError`, before `body`, if a launcher started several processes that are no ranks of one job;
///   otherwise as `withMPI`.
/// - Important: Collective, once a process, on the main thread.
package func withRanks<Result>(
  of launcher: Launcher? = Launcher(), _ body: (any Communicator) throws -> Result
) throws -> Result {
  guard let launcher, launcher.startsSeveral else { return try body(SingleProcess()) }
  guard launcher.offersMPI, launcher.knows(MPILibrary.family) else { throw LauncherError(launcher) }
  return try withMPI { communicator in
    guard communicator.size > 1 || launcher.size == nil else { throw LauncherError(launcher) }
    return try body(communicator)
  }
}
