// What the environment says about the launcher of this process, read without MPI.
import Files
import Foundation

/// A launcher that started this process, alone or with others: Open MPI's or another mpirun, or Slurm's srun.
package struct Launcher: Equatable, Sendable {
  /// What the environment was read from, for messages: `OMPI_COMM_WORLD_SIZE`.
  package let variable: String
  /// This process among those that were started, from 0; nil where the environment does not say.
  package let rank: Int?
  /// How many processes were started; nil where the environment does not say.
  package let size: Int?
  /// Whether it offers what MPI needs to join the processes: a task of srun without an MPI plugin has nothing.
  package let offersMPI: Bool

  /// Reads the variables of Open MPI, PMI, PMIx and Slurm, in that order; nil for a process that was started alone.
  package init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil } }
    // Slurm numbers the steps that run a batch script or an interactive shell from here on; they are no launch.
    let step = number("SLURM_STEP_ID").flatMap { $0 < 4_294_967_290 ? $0 : nil }
    let tasks = step.flatMap { _ in
      ["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"].first { number($0) != nil }
    }
    if let size = number("OMPI_COMM_WORLD_SIZE") {
      self.init(variable: "OMPI_COMM_WORLD_SIZE", rank: number("OMPI_COMM_WORLD_RANK"), size: size)
    } else if let size = number("PMI_SIZE") {
      self.init(variable: "PMI_SIZE", rank: number("PMI_RANK"), size: size)
    } else if let rank = number("PMI_RANK") {
      self.init(variable: tasks ?? "PMI_RANK", rank: rank, size: tasks.flatMap(number))
    } else if let rank = number("PMIX_RANK") {
      self.init(variable: tasks ?? "PMIX_RANK", rank: rank, size: tasks.flatMap(number))
    } else if let tasks {
      self.init(variable: tasks, rank: number("SLURM_PROCID"), size: number(tasks), offersMPI: false)
    } else {
      return nil
    }
  }

  private init(variable: String, rank: Int?, size: Int?, offersMPI: Bool = true) {
    (self.variable, self.rank, self.size, self.offersMPI) = (variable, rank, size, offersMPI)
  }

  /// Whether this process is one of several, or may be.
  package var startsSeveral: Bool { (size ?? 2) > 1 }

  /// Whether this process speaks for all: the first one, or one of unknown place.
  package var isFirst: Bool { (rank ?? 0) == 0 }
}

/// A launcher whose processes cannot be ranks of one job: each would do the whole work.
package struct LauncherError: ExitStatusError, Equatable, CustomStringConvertible {
  package let launcher: Launcher

  package var exitStatus: Int32 { ExitStatus.badUsage }

  /// One line: what the environment says, what MPI says, how to start the job.
  package var description: String {
    let started = "\(launcher.variable)=\(launcher.size ?? 0) says that this is one of several processes, but "
    return started
      + (launcher.offersMPI
        ? "Open MPI sees one alone; start the ranks with Open MPI's own mpirun"
        : "srun offers no MPI; start the ranks with mpirun or srun --mpi=pmix, or separate processes without "
          + "SLURM_STEP_ID in their environment")
  }
}
