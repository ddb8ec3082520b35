// What imagelora --version says: the program's version, then what it computes with on this machine.
import Artifacts
import HDF5
import MPI
import Tensors

/// The first line is the version alone, for scripts.
var versionText: String {
  """
  \(programVersion)
  \(mathLibrary)
  \(mpiLibrary), HDF5 \(hdf5Version)
  bf16 instructions: \(Precision.hasBFloat16Instructions ? "yes" : "no")
  """
}
