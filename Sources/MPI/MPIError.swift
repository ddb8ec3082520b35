// The module's one error, and the one place where MPI's codes become errors.
import CMPI
import Files

/// A failed MPI call: the function, the rank it failed on and the library's message.
package struct MPIError: ExitStatusError, Equatable, Sendable, CustomStringConvertible {
  /// The MPI function.
  package let function: String
  /// The rank that saw the failure; nil before ranks are known.
  package let rank: Int?
  /// The message of MPI_Error_string for the code.
  package let reason: String

  package var exitStatus: Int32 { ExitStatus.failed }

  /// One line: where, what, why.
  package var description: String { (rank.map { "rank \($0): " } ?? "") + "\(function) failed: \(reason)" }
}

/// Throws if an MPI call did not succeed.
func check(_ function: String, rank: Int? = nil, _ code: Int32) throws {
  guard code != MPI_SUCCESS else { return }
  let words = [CChar](unsafeUninitializedCapacity: Int(MPI_MAX_ERROR_STRING)) { words, count in
    var length: Int32 = 0
    count = MPI_Error_string(code, words.baseAddress, &length) == MPI_SUCCESS ? Int(length) : 0
  }
  let reason = String(decoding: words.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  throw MPIError(function: function, rank: rank, reason: reason.isEmpty ? "code \(code)" : reason)
}
