// What imagelora --version says: the program's version, then what it computes with on this machine.
import Artifacts
import CCommit
import CProcessor
import HDF5
import MPI
import Tensors

/// The commit that the program was built from.
private var commit: String {
  let commit = String(cString: imagelora_commit())
  return commit.isEmpty ? "commit not stated by the build (IMAGELORA_COMMIT)" : "commit \(commit)"
}

/// The first line is the version alone, for scripts.
var versionText: String {
  """
  \(programVersion)
  \(commit)
  \(mathLibrary)
  \(MPILibrary.loaded), HDF5 \(hdf5Version)
  kernels compiled for \(String(cString: imagelora_march()))
  bf16 instructions: \(Precision.obstacleToBFloat16.map { "no, since \($0)" } ?? "yes")
  """
}
