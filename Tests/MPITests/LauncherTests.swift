// What the variables of launchers mean. That MPI starts by them, Tests/EndToEnd shows with mpirun.
import Collectives
import Files
import Testing

@testable import MPI

@Suite("The launcher of a process")
struct LauncherTests {
  @Test("a process that was started alone has none, also in a batch script, an interactive step and beside noise")
  func none() {
    #expect(Launcher([:]) == nil)
    #expect(Launcher(["SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"]) == nil)
    #expect(Launcher(["SLURM_STEP_ID": "4294967290", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"]) == nil)
    #expect(Launcher(["OMPI_COMM_WORLD_SIZE": "", "PMI_SIZE": "many", "PMIX_RANK": "-1"]) == nil)
  }

  @Test(
    "mpirun and srun",
    arguments: [
      (["OMPI_COMM_WORLD_SIZE": "3", "OMPI_COMM_WORLD_RANK": "2", "PMIX_RANK": "2"], 2, 3, true),
      (["PMI_SIZE": "4", "PMI_RANK": "1"], 1, 4, true),
      (["PMI_RANK": "1"], 1, nil, true),
      (["PMIX_RANK": "0"], 0, nil, true),
      (["PMIX_RANK": "5", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "8", "SLURM_PROCID": "5"], 5, 8, true),
      (["SLURM_STEP_ID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "8", "SLURM_PROCID": "1"], 1, 2, false),
    ] as [([String: String], Int?, Int?, Bool)])
  func launched(environment: [String: String], rank: Int?, size: Int?, offersMPI: Bool) throws {
    let launcher = try #require(Launcher(environment))
    #expect(launcher.rank == rank && launcher.size == size && launcher.offersMPI == offersMPI)
    #expect(launcher.startsSeveral && launcher.isFirst == (rank == 0))
  }

  @Test("one process is one rank without MPI, whoever started it")
  func alone() throws {
    for launcher in [
      nil, Launcher(["OMPI_COMM_WORLD_SIZE": "1"]), Launcher(["SLURM_STEP_ID": "0", "SLURM_NTASKS": "1"]),
    ] {
      #expect(launcher?.startsSeveral != true)
      #expect(try withRanks(of: launcher) { $0 is SingleProcess })
    }
  }

  @Test("tasks of srun that no MPI can join are refused in one line, before any work")
  func apart() throws {
    let launcher = try #require(Launcher(["SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"]))
    let error = #expect(throws: LauncherError.self) { try withRanks(of: launcher) { _ in Issue.record("started") } }
    #expect(error?.exitStatus == ExitStatus.badUsage)
    #expect(
      error?.description.hasPrefix("started by Slurm's srun (SLURM_STEP_NUM_TASKS=2), which offers no MPI") == true)
  }

  @Test(
    "whose launcher it is",
    arguments: [
      (["OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "0", "SLURM_STEP_ID": "0"], .mpirun(.openMPI)),
      (["PMI_SIZE": "2", "HYDI_CONTROL_FD": "7", "SLURM_STEP_ID": "0"], .mpirun(.mpich)),
      (["PMI_SIZE": "2"], .mpirun(.mpich)),
      (["PMI_SIZE": "2", "I_MPI_HYDRA_UUID": "f22a"], .mpirun(.intelMPI)),
      (["PMI_SIZE": "2", "SLURM_STEP_ID": "0"], .slurm),
      (["PMI_SIZE": "2", "FLUX_TASK_RANK": "0"], .flux),
      (["PMIX_RANK": "1", "SLURM_STEP_ID": "0"], .slurm),
      (["PMIX_RANK": "1"], .pmix),
    ] as [([String: String], Launcher.Kind)])
  func kind(environment: [String: String], kind: Launcher.Kind) {
    #expect(Launcher(environment)?.kind == kind)
  }

  @Test("MPICH's relatives start each other's ranks, schedulers start any, and Open MPI starts its own")
  func acquaintances() throws {
    let openMPI = try #require(Launcher(["OMPI_COMM_WORLD_SIZE": "2"])),
      hydra = try #require(Launcher(["PMI_SIZE": "2"]))
    #expect(openMPI.knows(.openMPI) && !openMPI.knows(.mpich) && !openMPI.knows(.intelMPI) && openMPI.knows(nil))
    #expect(!hydra.knows(.openMPI) && hydra.knows(.mpich) && hydra.knows(.intelMPI))
    #expect(try #require(Launcher(["PMIX_RANK": "0", "SLURM_STEP_ID": "0"])).knows(.mpich))
  }

  @Test("a launcher and a library of two families are named in one line, with both ways out")
  func families() throws {
    func line(_ environment: [String: String], _ family: MPIFamily?, _ builtAgainst: String) throws -> String {
      try LauncherError(#require(Launcher(environment)), family: family, builtAgainst: builtAgainst).description
    }
    #expect(
      try line(["PMI_SIZE": "2"], .openMPI, "Open MPI 4.1.4")
        == "started by MPICH's mpiexec (PMI_SIZE=2), but built against Open MPI 4.1.4: "
        + "start it with Open MPI's mpirun or build with MPICC=mpicc.mpich")
    #expect(
      try line(["OMPI_COMM_WORLD_SIZE": "3"], .mpich, "MPICH 4.0.2")
        == "started by Open MPI's mpirun (OMPI_COMM_WORLD_SIZE=3), but built against MPICH 4.0.2: "
        + "start it with MPICH's mpiexec or build with MPICC=mpicc.openmpi")
    #expect(
      try line(["OMPI_COMM_WORLD_SIZE": "3"], .openMPI, "Open MPI 4.1.4")
        .hasSuffix("sees one process alone: start it with Open MPI's mpirun, of that version"))
    #expect(
      try line(["PMI_SIZE": "2", "SLURM_STEP_ID": "0"], .openMPI, "Open MPI 4.1.4")
        .hasSuffix("start it with srun --mpi=pmix or Open MPI's mpirun"))
    #expect(try line(["PMI_SIZE": "2", "FLUX_TASK_RANK": "1"], nil, "an MPI").hasSuffix("the mpirun of that MPI"))
  }

  @Test("the library has a family, a version, and is the one that the program was built against")
  func library() throws {
    let family = try #require(MPILibrary.family)
    #expect(MPILibrary.builtAgainst.hasPrefix(family.rawValue))
    #expect(MPILibrary.loaded.hasPrefix(family.rawValue) && !MPILibrary.loaded.contains("\n"))
  }

  @Test("a library of another family than the program was built against is refused before its first handle")
  func loadedLibrary() throws {
    try MPILibrary.checkLoaded()
    try MPILibrary.checkLoaded(family: .mpich, builtAgainst: "MPICH 4.0.2", loaded: "Intel(R) MPI Library 2021.18")
    for (family, loaded) in [(MPIFamily.mpich, "Open MPI v4.1.4"), (.openMPI, "MPICH 4.0.2")] {
      let error = #expect(throws: MPIError.self) {
        try MPILibrary.checkLoaded(family: family, builtAgainst: "this", loaded: loaded)
      }
      #expect(error?.description.contains("built against this, but \(loaded) was loaded") == true)
    }
  }
}
