// The start and the end of MPI in a process.
import CMPI
import Collectives
import Files
import Glibc

/// Starts MPI, runs `body` with all ranks of the job and ends MPI. Started without mpirun, the job is one rank.
///
/// A `RankFailure`, which all ranks throw together, ends MPI and is rethrown. Any other error is of this rank alone,
/// and others may wait for the rank. With more than one rank the error is printed in one line on stderr and ends the
/// whole job with its exit status; with one rank it is rethrown. Throws `MPIError` if MPI does not start, was started
/// before, is not the one that the program was built against, or allows no thread but that of a program with one.
/// - Important: Collective, once a process, on the main thread.
package func withMPI<Result>(_ body: (MPICommunicator) throws -> Result) throws -> Result {
  try MPILibrary.checkLoaded()
  var started = false
  try check("MPI_Initialized", imagelora_mpi_initialized(&started))
  guard !started else { throw MPIError(function: "MPI_Init_thread", rank: nil, reason: "MPI was started before") }
  var level = IMAGELORA_MPI_SINGLE
  try check("MPI_Init_thread", imagelora_mpi_init(IMAGELORA_MPI_FUNNELED, &level))
  guard level.rawValue >= IMAGELORA_MPI_FUNNELED.rawValue else {
    throw MPIError(
      function: "MPI_Init_thread", rank: nil,
      reason: "\(MPILibrary.builtAgainst) gives MPI_THREAD_SINGLE, and this program has threads; use an MPI that was "
        + "built with MPI_THREAD_FUNNELED")
  }
  let communicator = try MPICommunicator()
  let outcome = Swift.Result { try body(communicator) }
  if case .failure(let error) = outcome, !(error is RankFailure), communicator.size > 1 {
    let line = printable("rank \(communicator.rank) of \(communicator.size): \(error)\n")
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    communicator.abort(status: ExitStatus.of(error))
  }
  try check("MPI_Finalize", rank: communicator.rank, imagelora_mpi_finalize())
  return try outcome.get()
}
