// What the environment says about the launcher of this process, read without MPI.
import Files
import Foundation

/// A launcher that started this process, alone or with others: the mpirun of an MPI, or a scheduler's own.
package struct Launcher: Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    case mpirun(MPIFamily)
    case slurm
    case flux
    /// Another one of PMIx: PRRTE's prun.
    case pmix
  }

  package let kind: Kind
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
    // PMI is MPICH's; Intel's mpirun is made from MPICH's, and schedulers speak it too. Each leaves a mark of its own.
    let ofPMI: Kind =
      if environment["I_MPI_HYDRA_UUID"] != nil {
        .mpirun(.intelMPI)
      } else if environment["HYDI_CONTROL_FD"] != nil {
        .mpirun(.mpich)
      } else if environment["FLUX_TASK_RANK"] != nil {
        .flux
      } else {
        step == nil ? .mpirun(.mpich) : .slurm
      }
    if let size = number("OMPI_COMM_WORLD_SIZE") {
      self.init(.mpirun(.openMPI), "OMPI_COMM_WORLD_SIZE", rank: number("OMPI_COMM_WORLD_RANK"), size: size)
    } else if let size = number("PMI_SIZE") {
      self.init(ofPMI, "PMI_SIZE", rank: number("PMI_RANK"), size: size)
    } else if let rank = number("PMI_RANK") {
      self.init(ofPMI, tasks ?? "PMI_RANK", rank: rank, size: tasks.flatMap(number))
    } else if let rank = number("PMIX_RANK") {
      self.init(step == nil ? .pmix : .slurm, tasks ?? "PMIX_RANK", rank: rank, size: tasks.flatMap(number))
    } else if let tasks {
      self.init(.slurm, tasks, rank: number("SLURM_PROCID"), size: number(tasks), offersMPI: false)
    } else {
      return nil
    }
  }

  private init(_ kind: Kind, _ variable: String, rank: Int?, size: Int?, offersMPI: Bool = true) {
    (self.kind, self.variable, self.rank, self.size, self.offersMPI) = (kind, variable, rank, size, offersMPI)
  }

  /// Whether this process is one of several, or may be.
  package var startsSeveral: Bool { (size ?? 2) > 1 }

  /// Whether it may join ranks of this implementation. MPICH and its relatives start each other's ranks; Open MPI's and
  /// theirs are strangers, of which some end in their own errors when they start, so that they are not asked.
  package func knows(_ family: MPIFamily?) -> Bool {
    guard case .mpirun(let own) = kind, let family else { return true }
    return (own == .openMPI) == (family == .openMPI)
  }

  /// Whether this process speaks for all: the first one, or one of unknown place.
  package var isFirst: Bool { (rank ?? 0) == 0 }
}

/// A launcher whose processes cannot be ranks of one job: each would do the whole work.
package struct LauncherError: ExitStatusError, Equatable, CustomStringConvertible {
  package let launcher: Launcher
  /// The MPI that the program was built against, and its name and version.
  let family: MPIFamily?
  let builtAgainst: String

  init(
    _ launcher: Launcher, family: MPIFamily? = MPILibrary.family, builtAgainst: String = MPILibrary.builtAgainst
  ) {
    (self.launcher, self.family, self.builtAgainst) = (launcher, family, builtAgainst)
  }

  package var exitStatus: Int32 { ExitStatus.badUsage }

  /// One line: what the environment says, what MPI says, how to start the job.
  package var description: String {
    let own = family?.launcher ?? "the mpirun of that MPI"
    let plugin = "srun --mpi=\(family?.slurmPlugin ?? "pmix")"
    guard launcher.offersMPI else {
      return "started by Slurm's srun (\(says)), which offers no MPI: start the ranks with \(own) or \(plugin), or "
        + "separate processes without SLURM_STEP_ID in their environment"
    }
    let started = "started by \(name) (\(says)), but built against \(builtAgainst)"
    switch launcher.kind {
    case .mpirun(let other) where other == family:
      return started + ", which sees one process alone: start it with \(own), of that version"
    case .mpirun(let other): return started + ": start it with \(own) or build with MPICC=\(other.compiler)"
    case .slurm: return started + ", which sees one process alone: start it with \(plugin) or \(own)"
    case .flux where family == .openMPI:
      return started + ", which sees one process alone: start it with flux run -o pmi=pmix or \(own)"
    case .flux, .pmix: return started + ", which sees one process alone: start it with \(own)"
    }
  }

  private var says: String { "\(launcher.variable)=\(launcher.size ?? 0)" }

  private var name: String {
    switch launcher.kind {
    case .mpirun(let family): family.launcher
    case .slurm: "Slurm's srun"
    case .flux: "Flux"
    case .pmix: "a launcher of PMIx"
    }
  }
}
