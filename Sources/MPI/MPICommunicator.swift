// All ranks of an MPI job as a communicator.
import CMPI
import Collectives
import Glibc
import Synchronization

/// The ranks of MPI_COMM_WORLD. Calls come from one thread, the one that called `withMPI` (MPI_THREAD_FUNNELED).
///
/// Every method throws `MPIError` with the failing function's name.
package final class MPICommunicator: Communicator {
  package let rank: Int
  package let size: Int
  package let watchdog = Watchdog()
  private let counted = Mutex(Traffic())
  /// No call passes more bytes at once than this, because MPI counts in `Int32`.
  private let chunkBytes: Int

  package init(chunkBytes: Int = 1 << 28) throws {
    precondition(chunkBytes >= MemoryLayout<Int64>.size && chunkBytes <= Int32.max)
    self.chunkBytes = chunkBytes
    try check("MPI_Comm_set_errhandler", imagelora_mpi_return_errors())
    var rank: Int32 = 0
    var size: Int32 = 0
    try check("MPI_Comm_rank", imagelora_mpi_rank(&rank))
    try check("MPI_Comm_size", imagelora_mpi_size(&size))
    (self.rank, self.size) = (Int(rank), Int(size))
  }

  package var traffic: Traffic { counted.withLock { $0 } }

  /// MPI_Allreduce in place, MPI_SUM of MPI_INT64_T, which networks can compute themselves.
  package func sum(_ words: UnsafeMutableBufferPointer<Int64>) throws {
    counted.withLock { $0.addSum(words: words.count) }
    try watchdog.waiting {
      for chunk in chunks(of: words.count, each: chunkBytes / MemoryLayout<Int64>.size) {
        let part = UnsafeMutableBufferPointer(rebasing: words[chunk]).baseAddress
        try check("MPI_Allreduce", rank: rank, imagelora_mpi_sum_int64(part, Int32(chunk.count)))
      }
    }
  }

  /// MPI_Allreduce in place, MPI_SUM of MPI_FLOAT: what others do, for a comparison of times. Training never calls it,
  /// since its bits depend on the number of ranks.
  package func sumRounding(_ numbers: UnsafeMutableBufferPointer<Float>) throws {
    for chunk in chunks(of: numbers.count, each: chunkBytes / MemoryLayout<Float>.size) {
      let part = UnsafeMutableBufferPointer(rebasing: numbers[chunk]).baseAddress
      try check("MPI_Allreduce", rank: rank, imagelora_mpi_sum_float(part, Int32(chunk.count)))
    }
  }

  /// MPI_Bcast of the length and of the bytes.
  package func broadcast(_ bytes: [UInt8], from root: Int) throws -> [UInt8] {
    counted.withLock { $0.addOther(bytes: rank == root ? bytes.count : 0) }
    return try watchdog.waiting {
      var count = Int64(bytes.count)
      try check("MPI_Bcast", rank: rank, imagelora_mpi_broadcast(&count, 8, Int32(root)))
      var result = rank == root ? bytes : [UInt8](repeating: 0, count: Int(count))
      try result.withUnsafeMutableBytes { result in
        for chunk in chunks(of: result.count, each: chunkBytes) {
          let part = UnsafeMutableRawBufferPointer(rebasing: result[chunk]).baseAddress
          try check("MPI_Bcast", rank: rank, imagelora_mpi_broadcast(part, Int32(chunk.count), Int32(root)))
        }
      }
      return result
    }
  }

  /// MPI_Allgather of the lengths, then MPI_Allgatherv of the bytes.
  package func allGather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    counted.withLock { $0.addOther(bytes: bytes.count) }
    return try watchdog.waiting { try gather(bytes) }
  }

  private func gather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var lengths = [Int64](repeating: 0, count: size)
    try check("MPI_Allgather", rank: rank, imagelora_mpi_allgather_int64(Int64(bytes.count), &lengths))
    var result = [[UInt8]](repeating: [], count: size)
    // Round by round each rank gives its next piece, so that all pieces of a round are one message of MPI's size.
    let piece = max(1, chunkBytes / size)
    for round in chunks(of: Int(lengths.max() ?? 0), each: piece) {
      let counts = lengths.map { Int32(max(0, min(Int($0), round.upperBound) - round.lowerBound)) }
      let starts = counts.reduce(into: [Int32(0)]) { $0.append($0[$0.count - 1] + $1) }
      var received = [UInt8](repeating: 0, count: Int(starts[size]))
      let mine = Array(bytes.dropFirst(round.lowerBound).prefix(Int(counts[rank])))
      try check(
        "MPI_Allgatherv", rank: rank, imagelora_mpi_allgatherv(mine, counts[rank], &received, counts, starts))
      for other in 0..<size { result[other] += received[Int(starts[other])..<Int(starts[other + 1])] }
    }
    return result
  }

  /// MPI_Abort: ends all ranks; what was printed so far still appears.
  package func abort(status: Int32) -> Never {
    watchdog.end(isJobOver: true)
    fflush(nil)
    imagelora_mpi_abort(status)
    exit(status)
  }

  private func chunks(of count: Int, each: Int) -> some Sequence<Range<Int>> {
    stride(from: 0, to: count, by: each).map { $0..<min(count, $0 + each) }
  }
}
