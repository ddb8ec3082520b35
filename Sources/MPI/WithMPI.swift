// The start and the end of MPI in a process.
import CMPI
import Collectives
import Files
import Glibc

/// The implementation of MPI and its version, in a line; it need not be started.
package var mpiLibrary: String {
  var (text, length) = ([CChar](repeating: 0, count: Int(MPI_MAX_LIBRARY_VERSION_STRING) + 1), Int32(0))
  guard MPI_Get_library_version(&text, &length) == 0 else { return "an MPI without a version" }
  // Open MPI: "Open MPI v4.1.4, package: ..., ident: ..., date"; MPICH has a line each.
  let line = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).prefix { $0 != "\n" }
  return String(line.prefix { $0 != "," })
}

/// Starts MPI, runs `body` with all ranks of the job and ends MPI. Started without mpirun, the job is one rank.
///
/// A `RankFailure`, which all ranks throw together, ends MPI and is rethrown. Any other error is of this rank alone,
/// and others may wait for the rank. With more than one rank the error is printed in one line on stderr and ends the
/// whole job with its exit status; with one rank it is rethrown. Throws `MPIError` if MPI does not start or was started
/// before.
/// - Important: Collective, once a process, on the main thread.
package func withMPI<Result>(_ body: (MPICommunicator) throws -> Result) throws -> Result {
  // Alone, Open MPI would start a daemon to be ready for ranks that join later.
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 0)
  var started: Int32 = 0
  try check("MPI_Initialized", MPI_Initialized(&started))
  guard started == 0 else { throw MPIError(function: "MPI_Init_thread", rank: nil, reason: "MPI was started before") }
  var provided: Int32 = 0
  try check("MPI_Init_thread", MPI_Init_thread(nil, nil, Int32(MPI_THREAD_FUNNELED), &provided))
  let communicator = try MPICommunicator()
  let outcome = Swift.Result { try body(communicator) }
  if case .failure(let error) = outcome, !(error is RankFailure), communicator.size > 1 {
    let line = printable("rank \(communicator.rank) of \(communicator.size): \(error)\n")
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    communicator.abort(status: ExitStatus.of(error))
  }
  try check("MPI_Finalize", rank: communicator.rank, MPI_Finalize())
  return try outcome.get()
}
