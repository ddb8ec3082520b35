// model.reproducible: across_processors, of which the numeric libraries must hear before they are loaded.
import Files
import Glibc
import RunFile
import Tensors

/// The kernels of the numeric libraries that all processors have which the program runs on.
enum PinnedKernels {
  /// What the libraries read as they are loaded.
  private static let variables = [
    ("OPENBLAS_CORETYPE", "Haswell"), ("DNNL_MAX_CPU_ISA", "AVX2"), ("ONEDNN_MAX_CPU_ISA", "AVX2"),
  ]

  /// Begins the program again with the variables set, if they are not; the process stays the one that a launcher knows.
  /// - Precondition: nothing has been started yet, MPI for one.
  static func pin() {
    #if arch(x86_64)
      guard variables.contains(where: { name, value in getenv(name).map { String(cString: $0) } != value }) else {
        return
      }
      for (name, value) in variables { setenv(name, value, 1) }
      execv("/proc/self/exe", CommandLine.unsafeArgv)
    #endif
  }

  /// - Parameter runFile: which asks for them, for the message.
  /// - Throws: `FileError` where other kernels were loaded.
  static func check(for runFile: String) throws(FileError) {
    guard mathLibrary.contains("OpenBLAS"), mathLibrary.contains("kernels Haswell") else {
      throw FileError(
        runFile,
        "model.reproducible: \(Reproducible.acrossProcessors.rawValue): the kernels cannot be pinned: \(mathLibrary)",
        remedy: "leave the key out, or build with an OpenBLAS for x86-64 that has kernels for all processors")
    }
  }
}
