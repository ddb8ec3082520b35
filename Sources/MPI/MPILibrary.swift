// The implementation of MPI that the program was built against, and the one that was loaded.
import CMPI

/// Implementations of MPI with launchers of their own.
package enum MPIFamily: String, Equatable, Sendable {
  case openMPI = "Open MPI"
  case mpich = "MPICH"
  case intelMPI = "Intel MPI"
  case mvapich = "MVAPICH"

  /// What starts its ranks, for messages.
  var launcher: String { self == .openMPI || self == .intelMPI ? "\(rawValue)'s mpirun" : "\(rawValue)'s mpiexec" }

  /// The name of its compiler beside those of others: Debian's names, and Intel's own.
  var compiler: String {
    switch self {
    case .openMPI: "mpicc.openmpi"
    case .mpich: "mpicc.mpich"
    case .intelMPI: "mpiicx"
    case .mvapich: "mpicc"
    }
  }

  /// How srun starts its ranks, as it is built in most places.
  var slurmPlugin: String { self == .openMPI ? "pmix" : "pmi2" }
}

package enum MPILibrary {
  /// The family of the mpi.h that the program was built against; nil for one without a name here.
  package static var family: MPIFamily? {
    switch imagelora_mpi_family() {
    case IMAGELORA_MPI_OPEN_MPI: .openMPI
    case IMAGELORA_MPI_MPICH: .mpich
    case IMAGELORA_MPI_INTEL: .intelMPI
    case IMAGELORA_MPI_MVAPICH: .mvapich
    default: nil
    }
  }

  /// Its name and version: `Open MPI 4.1.4`.
  package static var builtAgainst: String { String(cString: imagelora_mpi_built_against()) }

  /// Name and version of the library that was loaded, in a line; it need not be started.
  package static var loaded: String {
    var code: Int32 = 0
    let version = text { code = imagelora_mpi_library_version($0) }
    guard code == 0, !version.isEmpty else { return "an MPI without a version" }
    // "Open MPI v4.1.4, package: ..., ident: ..., date"; MPICH's has a line for each: "MPICH Version:      4.0.2".
    let line = version.prefix { $0 != "\n" && $0 != "," }
    return line.split { " \t\0".contains($0) }.joined(separator: " ").replacing("MPICH Version: ", with: "MPICH ")
  }

  /// Throws `MPIError` if the library that was loaded is of another kind than the one that the program was built
  /// against. MPICH, Intel MPI and MVAPICH may stand for each other; Open MPI has its own handles, and the first call
  /// with one would end in a bad address. To be called before any other function of MPI.
  static func checkLoaded(family: MPIFamily? = family, builtAgainst: String = builtAgainst, loaded: String = loaded)
    throws
  {
    guard let family, (family == .openMPI) != loaded.hasPrefix(MPIFamily.openMPI.rawValue) else { return }
    throw MPIError(
      function: "MPI_Init_thread", rank: nil,
      reason: "built against \(builtAgainst), but \(loaded) was loaded: build with the mpicc of the MPI that is used "
        + "(MPICC), or put the library of the former first in LD_LIBRARY_PATH")
  }
}
